"""Handing stages to a pool: order, room, failures, equal content; and what the command says of executors."""

import sys

import pytest

from echochamber.core.errors import UserError
from echochamber.study.execute import open_study, run_study
from echochamber.study.pools import Ended
from echochamber.study.recipe import load_recipe


class FakePool:
    """Finishes the stage that was handed over first; some fail."""

    def __init__(self, slots, failing=()):
        self.slots, self.failing, self.given, self.most, self.at_once = slots, set(failing), [], 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, node):
        self.given.append(node)
        return node.id

    def wait(self, handles):
        handles = list(handles)
        self.most = max(self.most, len(handles))
        self.at_once.append(handles)
        first = handles[0]
        return [Ended(first, None, "broken on purpose") if first in self.failing else Ended(first, 1.5, None)]


def _run(tmp_path, monkeypatch, pool, overrides=()):
    monkeypatch.setattr("echochamber.study.execute.LocalPool", lambda graph, workers: pool)
    graph, status = open_study(load_recipe("smoke", ["seeds=[0,1]", *overrides]), tmp_path)
    return graph, status, run_study(graph, status, workers=2)


def test_parents_come_first_and_the_pool_is_kept_full(tmp_path, monkeypatch):
    pool = FakePool(2)
    graph, status, failed = _run(tmp_path, monkeypatch, pool)
    order = [node.id for node in pool.given]
    assert failed == 0
    assert sorted(order) == sorted(graph.nodes)
    assert all(order.index(parent) < order.index(name) for name, node in graph.nodes.items() for parent in node.parents)
    assert pool.most == 2
    assert {state.status for state in status.nodes.values()} == {"done"}
    assert status.nodes["tokenizer"].seconds == 1.5


def test_one_failing_arm_does_not_stop_the_others(tmp_path, monkeypatch):
    broken = "pretrain/tg_omi2/nano-0.2m/seed1"
    graph, status, failed = _run(tmp_path, monkeypatch, FakePool(3, [broken]))
    assert failed == 1
    assert status.nodes[broken].error == "broken on purpose"
    lost = {name for name in graph.nodes if status.nodes[name].status == "pending"}
    assert lost == {name for name, node in graph.nodes.items() if node.seed == 1 and name != broken}


def test_stages_of_equal_content_never_run_at_once(tmp_path, monkeypatch):
    twice = "also_evaluate={again: {sets: [all], split: dev, count: 8, samples: {ends: 4, between: 4}, max_new_tokens: 48}}"
    pool = FakePool(100)
    graph, _, failed = _run(tmp_path, monkeypatch, pool, [twice])
    names = [node.spec.name for node in graph.nodes.values()]
    assert failed == 0
    assert len(set(names)) < len(names)
    for handles in pool.at_once:
        running = [graph.nodes[name].spec.name for name in handles]
        assert len(set(running)) == len(running)


def test_ray_is_asked_for_by_name_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    graph, status = open_study(load_recipe("smoke", []), tmp_path)
    with pytest.raises(UserError, match=r"echochamber\[ray\]"):
        run_study(graph, status, executor="ray")
