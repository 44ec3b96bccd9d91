"""Handing stages to a pool: order, room, failures, equal content; and what the command says of executors."""

import io
import os
import signal
import sys
from contextlib import nullcontext

import pytest
from rich.console import Console

from echochamber.core.artifacts import Spec
from echochamber.core.errors import UserError
from echochamber.core.progress import progress_bar, reported_to
from echochamber.core.storage import StorageError
from echochamber.study.execute import open_study, run_study
from echochamber.study.local_executor import LocalExecutor
from echochamber.study.progress_display import ProgressDisplay, progress_path
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_estimates import estimate_seconds
from echochamber.study.stage_executor import Ended
from echochamber.study.stage_graph import StageNode
from echochamber.study.stage_process import THREAD_SETTINGS
from echochamber.study.stage_task import StageOutcome
from echochamber.study.status import StageStatus


class FakePool:
    """Finishes the stage that was handed over first, with an empty artifact; some end otherwise."""

    store = None

    def __init__(self, slots, ends=None):
        """`ends`: id of a stage -> how its attempts end; when they are used up it is done."""
        self.slots, self.ends, self.given, self.most, self.at_once = slots, dict(ends or {}), [], 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def check(self, node):
        return None

    def has_room(self, node):
        return True

    def submit(self, node):
        self.given.append(node)
        if not self.ends.get(node.id):
            self.store.build(node.spec, lambda folder: None)
        return node.id

    def wait(self, handles):
        handles = list(handles)
        self.most = max(self.most, len(handles))
        self.at_once.append(handles)
        first = handles[0]
        return [Ended(first, self.ends[first].pop(0) if self.ends.get(first) else StageOutcome(1.5))]


BROKEN = StageOutcome(None, "broken on purpose", bad_input=True)
LOST = StageOutcome(None, "its machine is gone", lost=True)


def _run(tmp_path, monkeypatch, pool, overrides=()):
    monkeypatch.setattr("echochamber.study.execute.open_executor", lambda *_: pool)
    graph, status = open_study(load_recipe("smoke", ["seeds=[0,1]", *overrides]), tmp_path)
    pool.store = graph.store
    return graph, status, run_study(graph, status, workers=2)


def test_parents_come_first_and_the_pool_is_kept_full(tmp_path, monkeypatch):
    pool = FakePool(2)
    graph, status, failed = _run(tmp_path, monkeypatch, pool)
    order = [node.id for node in pool.given]
    assert failed == 0
    assert sorted(order) == sorted(graph.nodes)
    assert all(
        order.index(parent) < order.index(name)
        for name, node in graph.nodes.items()
        for parent in node.parents
    )
    assert pool.most == 2
    assert {state.status for state in status.nodes.values()} == {"done"}
    assert status.nodes["tokenizer"].seconds == 1.5


def test_one_failing_arm_does_not_stop_the_others(tmp_path, monkeypatch):
    broken = "pretrain/tg_omi2/nano-0.2m/seed1"
    graph, status, failed = _run(tmp_path, monkeypatch, FakePool(3, {broken: [BROKEN]}))
    assert failed == 1
    assert status.nodes[broken].error == "broken on purpose"
    lost = {name for name in graph.nodes if status.nodes[name].status == "pending"}
    assert lost == {name for name, node in graph.nodes.items() if node.seed == 1 and name != broken}


def test_a_lost_stage_is_started_again_as_often_as_the_recipe_says_and_each_time_is_told(
    tmp_path, monkeypatch, capsys
):
    base, arm = "pretrain/tg_omi2/nano-0.2m/seed0", "rl/tg_omi2/nano-0.2m/grpo/seed1"
    bug = StageOutcome(None, "unexpected ZeroDivisionError", bug=True)
    pool = FakePool(2, {base: [LOST, bug], arm: [LOST, LOST]})
    _, status, failed = _run(tmp_path, monkeypatch, pool, ["launch.retries=2", "launch.rl.retries=1"])
    assert failed == 1
    assert [node.id for node in pool.given].count(base) == 3
    assert [node.id for node in pool.given].count(arm) == 2
    assert status.nodes[base].status == "done"
    assert status.nodes[arm].error == "its machine is gone (after 1 retries)"
    assert status.exit_status == 1
    again = [line for line in capsys.readouterr().err.splitlines() if line.startswith("again ")]
    assert sorted(again) == [
        f"again {base} (retry 1 of 2): its machine is gone",
        f"again {base} (retry 2 of 2): unexpected ZeroDivisionError",
        f"again {arm} (retry 1 of 1): its machine is gone",
    ]


@pytest.mark.parametrize("flag", ["bad_input", "storage"])
def test_bad_input_and_a_full_disk_are_not_retried(tmp_path, monkeypatch, flag):
    arm = "rl/tg_omi2/nano-0.2m/grpo/seed1"
    end = StageOutcome(None, "no room", bad_input=True, storage=flag == "storage")
    pool = FakePool(2, {arm: [end]})
    with nullcontext() if flag == "bad_input" else pytest.raises(StorageError, match="no room"):
        _run(tmp_path, monkeypatch, pool)
    assert [node.id for node in pool.given].count(arm) == 1


def test_stages_of_equal_content_never_run_at_once(tmp_path, monkeypatch):
    twice = (
        "also_evaluate={again: {sets: [all], split: dev, count: 8, "
        "samples: {ends: 4, between: 4}, max_new_tokens: 48}}"
    )
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


def test_a_running_stage_says_how_far_it_is_and_leaves_nothing_behind(tmp_path):
    graph, status = open_study(load_recipe("smoke", []), tmp_path)
    node = graph.nodes["pretrain/tg_omi2/nano-0.2m/seed0"]
    display = ProgressDisplay(list(graph.nodes.values()), status)
    status.nodes[node.id] = StageStatus("running")
    display.start(node)
    assert display.read(node.id) == {}
    with reported_to(progress_path(node, graph)), progress_bar("pretrain", 40, done=10) as bar:
        bar.advance(10, "loss 2.5")
        found = display.read(node.id)
        assert (found["done"], found["total"], found["note"]) == (20, 40, "loss 2.5")
        assert found["rate"] > 0
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(display)
        text = console.export_text()
    assert "20/40" in text
    assert node.id in text
    assert f"0 of {len(graph.nodes)} done, 1 running" in text
    status.nodes[node.id] = StageStatus("failed", None, "broken on purpose")
    display.end(node, "broken on purpose")
    assert display.counts() == {"done": 0, "running": 0, "failed": 1, "pending": len(graph.nodes) - 1}
    assert list((tmp_path / "artifacts" / ".partial").iterdir()) == []


def test_time_left_is_the_pace_on_the_estimates_so_far(tmp_path):
    graph, status = open_study(load_recipe("smoke", []), tmp_path)
    nodes = list(graph.nodes.values())
    display = ProgressDisplay(nodes, status)
    assert display.seconds_left() is None
    status.nodes[nodes[0].id] = StageStatus("done", 1.0)
    status.nodes[nodes[1].id] = StageStatus("failed", None, "broken")
    display.started -= 60
    cost = [estimate_seconds(node, graph.recipe) for node in nodes]
    assert display.seconds_left() == pytest.approx(60 * sum(cost[2:]) / cost[0], rel=0.01)


def test_time_left_reads_the_progress_of_running_stages_only(tmp_path, monkeypatch):
    """A file read per stage and event made a study of 1,000 stages a million reads."""
    graph, status = open_study(load_recipe("smoke", []), tmp_path)
    nodes, read = list(graph.nodes.values()), []
    display = ProgressDisplay(nodes, status)
    monkeypatch.setattr(ProgressDisplay, "read", lambda self, name: read.append(name) or {})
    status.nodes[nodes[0].id] = StageStatus("done", 1.0)
    status.nodes[nodes[1].id] = StageStatus("running")
    assert display.seconds_left() is not None
    assert read == [nodes[1].id]


def _job(node_id):
    return StageNode(node_id, Spec("tokenizer", {}, 1), (), lambda folder, runtime: None)


def _work_off(graph, *names):
    ended = {}
    with LocalExecutor(graph, 2, 0.0) as pool:
        pending = [pool.submit(_job(name)) for name in names]
        while pending:
            for one in pool.wait(pending):
                ended[one.handle.node.id] = one.outcome
                pending.remove(one.handle)
    return ended


@pytest.mark.medium
def test_a_killed_process_loses_its_stages_and_the_pool_goes_on(tmp_path, monkeypatch):
    graph, _ = open_study(load_recipe("smoke", []), tmp_path)
    monkeypatch.setattr("echochamber.study.local_executor.run_task", _pretend)
    ended = _work_off(graph, "fine", "bug")
    assert ended["fine"] == StageOutcome(1.5)
    assert ended["bug"].bug
    assert "ZeroDivisionError" in ended["bug"].error
    with LocalExecutor(graph, 2, 0.0) as pool:
        (lost,) = pool.wait([pool.submit(_job("killed"))])
        (after,) = pool.wait([pool.submit(_job("fine"))])
    assert lost.outcome == StageOutcome(None, "a process was killed", lost=True)
    assert after.outcome == StageOutcome(1.5)


@pytest.mark.medium
def test_every_process_of_a_pool_has_the_threads_of_the_recipe(tmp_path, monkeypatch):
    for name in THREAD_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAYON_NUM_THREADS", "7")
    graph, _ = open_study(load_recipe("smoke", ["runtime.threads=1"]), tmp_path)
    with LocalExecutor(graph, 2, 0.0) as pool:
        found = pool._pool.submit(_threads).result()
    assert found == {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "7",
        "POLARS_MAX_THREADS": "1",
    }
    assert "OMP_NUM_THREADS" not in os.environ


def _threads():
    return {name: os.environ.get(name) for name in THREAD_SETTINGS}


def _pretend(task, devices):
    if task.node_id == "bug":
        raise ZeroDivisionError("division by zero")
    if task.node_id == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return StageOutcome(1.5)
