"""Which arms of a study get a forecast, and that nothing else changes for it."""

import json

import pytest

from echochamber.core.artifacts import Store
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe


def _graph(tmp_path, *overrides, name="smoke"):
    return build_graph(load_recipe(name, overrides), Store(tmp_path))


def _forecasts(graph):
    return [node for node in graph.nodes.values() if node.kind == "forecast"]


def test_every_arm_has_one_after_its_base_was_scored(tmp_path):
    graph = _graph(tmp_path)
    (found,) = _forecasts(graph)
    assert found.arm == "grpo"
    assert {graph.nodes[parent].kind for parent in found.parents} == {"pretrain", "evaluate"}
    assert graph.nodes[found.parents[1]].arm is None, "the base's evaluation, not the arm's"


@pytest.mark.parametrize(
    "override",
    ["forecast.runs=0", "rl.grpo.problems.set=hard", "rl.grpo.temperature=0.7", "evaluate.temperature=0.7"],
)
def test_none_where_the_evaluation_does_not_show_what_the_arm_samples(tmp_path, override):
    assert not _forecasts(_graph(tmp_path, override))


def test_no_other_stage_knows_of_it(tmp_path):
    with_it, without = (_graph(tmp_path, f"forecast.runs={runs}").nodes for runs in (3, 0))
    assert set(with_it) - set(without) == {node for node in with_it if node.startswith("forecast/")}
    assert all(with_it[name].spec.fingerprint == node.spec.fingerprint for name, node in without.items())


def test_arm_and_number_of_runs_are_its_identity(tmp_path):
    def fingerprint(*overrides):
        return _forecasts(_graph(tmp_path, *overrides))[0].spec.fingerprint

    assert fingerprint() == fingerprint()
    assert len({fingerprint(), fingerprint("forecast.runs=5"), fingerprint("rl.grpo.steps=4")}) == 3


def test_a_finished_study_has_the_file(smoke):
    (path,) = smoke.glob("artifacts/forecast-*/forecast.json")
    found = json.loads(path.read_text())
    assert found.get("reason") or sum(found["win_probability"].values()) == pytest.approx(1)
