"""Scopes, inclusion rules, further evaluations, earlier starts and twins in the recipe grammar."""

import json

import pytest
import yaml

from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.core.formats import classify, extra_formats, registered_formats
from echochamber.core.types import Problem
from echochamber.papers.catalogue import claim_sets
from echochamber.study.checkpoints import checkpoint_at
from echochamber.study.graph import build_graph
from echochamber.study.recipe import Recipe, load_recipe
from echochamber.study.status import StageStatus, StudyStatus
from echochamber.verify.behaviours import BehaviourConfig, behaviour_formats
from echochamber.verify.grade import Grader

DATA = {
    "name": "mine",
    "seeds": [0, 1, 2],
    "scope": "full",
    "mixtures": {
        "a": {"sources": {"tinygsm": {"copies": 1}}},
        "b": {"sources": {"omi2": {"copies": 2}}},
        "c": {"sources": {"omi1": {"copies": 1}}},
    },
    "sizes": ["nano-0.2m"],
    "rl": {
        "grpo": {"algorithm": "grpo"},
        "cold": {"inherits": "grpo", "temperature": 0.7},
        "null": {"inherits": "grpo", "reward": "random"},
    },
    "grid": {
        "include": [
            {"rl": "grpo", "mixture": ["a", "b"]},
            {"rl": ["cold", "null"], "mixture": "a", "seed": [0, 1]},
        ]
    },
    "scopes": {"smoke": {"seeds": [0], "rl": {"grpo": {"steps": 2}}}, "full": {"evaluate": {"count": 64}}},
}


def _recipe(tmp_path, *overrides, **changes):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(DATA | changes))
    return load_recipe(str(path), list(overrides))


def _graph(tmp_path, *overrides, **changes):
    return build_graph(_recipe(tmp_path, *overrides, **changes), Store(tmp_path / "artifacts"))


def test_a_scope_lies_over_the_recipe_and_an_override_over_the_scope(tmp_path):
    assert _recipe(tmp_path).scope == "full"
    assert _recipe(tmp_path).evaluate.count == 64
    smoke = _recipe(tmp_path, "scope=smoke")
    assert (smoke.seeds, smoke.rl["grpo"].steps, smoke.rl["null"].steps) == ((0,), 2, 2)
    assert _recipe(tmp_path, "seeds=[7]", "scope=smoke").seeds == (7,)
    assert Recipe.parse(smoke.resolved(), "again") == smoke


def test_a_scope_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="full, smoke"):
        _recipe(tmp_path, "scope=huge")
    with pytest.raises(UserError, match="no scopes"):
        load_recipe("smoke", ["scope=core"])
    with pytest.raises(UserError, match="scopes"):
        _recipe(tmp_path, scopes=["smoke"])


def test_scopes_share_the_artifacts_of_what_they_have_in_common(tmp_path):
    small, large = _graph(tmp_path, "seeds=[0]"), _graph(tmp_path)
    for name, node in small.nodes.items():
        assert large.nodes[name].spec.fingerprint == node.spec.fingerprint


def test_only_what_is_included_is_run(tmp_path):
    graph = _graph(tmp_path)
    arms = {(n.mixture, n.arm, n.seed) for n in graph.nodes.values() if n.kind == "rl"}
    wanted = {(m, "grpo", s) for m in "ab" for s in range(3)} | {
        ("a", arm, s) for arm in ("cold", "null") for s in range(2)
    }
    assert arms == wanted
    assert "shards/c" not in graph.nodes
    assert sum(node.kind == "pretrain" for node in graph.nodes.values()) == 6


@pytest.mark.parametrize("rule", [{"rl": "gpro"}, {"mixture": ["a", "z"]}, {"size": "nano-9b"}])
def test_a_rule_that_names_nothing_is_refused(tmp_path, rule):
    wrong = str(next(iter(rule.values())))[-3:].strip("']")
    with pytest.raises(UserError, match=wrong):
        _recipe(tmp_path, grid={"include": [rule]})
    with pytest.raises(UserError, match=wrong):
        _recipe(tmp_path, also_evaluate={"x": {"where": rule}})


def test_a_further_evaluation_scores_its_arms_and_their_bases(tmp_path):
    extra = {
        "cold_dev": {
            "where": {"rl": "cold"},
            "split": "dev",
            "sets": ["hard"],
            "temperature": 0.5,
            "samples": {"ends": 4, "between": 0},
        }
    }
    plain, graph = _graph(tmp_path), _graph(tmp_path, also_evaluate=extra)
    added = {name for name in graph.nodes if name not in plain.nodes}
    assert added == {"problems/dev/hard/256"} | {
        f"evaluate@cold_dev/a/nano-0.2m/{who}/seed{s}" for who in ("base", "cold") for s in (0, 1)
    }
    node = graph.nodes["evaluate@cold_dev/a/nano-0.2m/cold/seed0"]
    assert node.evaluation == "cold_dev"
    assert node.spec.config["evaluate"]["temperature"] == 0.5
    assert all(graph.nodes[name].spec == plain.nodes[name].spec for name in plain.nodes)


def test_an_arm_may_start_from_an_earlier_step(tmp_path):
    grid = DATA["grid"] | {"from_step": [{"where": {"rl": "cold"}, "step": 40}]}
    plain, graph = _graph(tmp_path), _graph(tmp_path, grid=grid)
    early, usual = (graph.nodes[f"rl/a/nano-0.2m/{arm}/seed0"] for arm in ("cold", "grpo"))
    assert (early.from_step, usual.from_step) == (40, None)
    assert usual.spec == plain.nodes[usual.id].spec
    assert early.spec.fingerprint != plain.nodes[early.id].spec.fingerprint
    assert "evaluate/a/nano-0.2m/base@40/seed0" in graph.nodes
    assert (
        "evaluate/a/nano-0.2m/base@40/seed0"
        in _graph(tmp_path, grid=grid, pretrain={"keep_steps": [20, 40]}).nodes
    )
    # Found after hours of pretraining otherwise.
    with pytest.raises(UserError, match=r"starts at step 40; pretrain\.keep_steps has 20, 60"):
        _graph(tmp_path, grid=grid, pretrain={"keep_steps": [20, 60]})
    for step in (40, 90):
        (tmp_path / "base" / "checkpoints" / f"step_{step}").mkdir(parents=True)
    assert checkpoint_at(tmp_path / "base", 40).name == "step_40"
    assert checkpoint_at(tmp_path / "base", None).name == "step_90"
    with pytest.raises(UserError, match="40, 90"):
        checkpoint_at(tmp_path / "base", 50)


SINGLE = (
    "def simple_math_problem() -> int:\n    '''\n    How many?\n    '''\n"
    "    result = 3 * 6\n    return result"
)


def test_twins_are_told_apart_while_their_study_runs_and_graded_alike():
    twins = behaviour_formats({"tinygsm_single": BehaviourConfig(of="tinygsm", contains="'''")})
    double = SINGLE.replace("'''", '"""')
    before = registered_formats()
    with extra_formats(twins), Grader(workers=1) as grader:
        assert (classify(SINGLE), classify(double)) == ("tinygsm_single", "tinygsm")
        verdicts = grader.grade_batch([(Problem("p", "How many?", "18"), text) for text in (SINGLE, double)])
    assert [v.format for v in verdicts] == ["tinygsm_single", "tinygsm"]
    assert [v.correct for v in verdicts] == [True, True]
    assert verdicts[0].style == verdicts[1].style | {"quotes": "single"}
    assert registered_formats() == before
    assert classify(SINGLE) == "tinygsm"


def test_twins_are_part_of_what_they_change_and_of_nothing_else(tmp_path):
    plain, graph = (
        _graph(tmp_path),
        _graph(tmp_path, behaviours={"tinygsm_single": {"of": "tinygsm", "contains": "'''"}}),
    )
    changed = {
        plain.nodes[name].kind for name in plain.nodes if plain.nodes[name].spec != graph.nodes[name].spec
    }
    assert changed == {"rl", "evaluate", "forecast"}
    with pytest.raises(UserError, match="omi1"):
        _recipe(tmp_path, behaviours={"omi1": {"of": "tinygsm", "contains": "x"}})


def test_the_first_rl_stage_fixes_the_hash_of_the_criteria(tmp_path, monkeypatch):
    graph = _graph(tmp_path)
    status = StudyStatus(tmp_path, graph)
    status.set("tokenizer", StageStatus("done"))
    assert json.loads((tmp_path / "study.json").read_text())["criteria"] == {}
    status.set("rl/a/nano-0.2m/grpo/seed0", StageStatus("running"))
    first = json.loads((tmp_path / "study.json").read_text())["criteria"]
    assert first["sets"] == {name: claims.digest for name, claims in claim_sets().items()}
    assert "echo_chamber" in first["sets"]
    assert first["before_first_rl"] is True
    monkeypatch.setattr("echochamber.papers.catalogue.claim_sets", dict)
    again = StudyStatus(tmp_path, graph)
    again.set("rl/a/nano-0.2m/grpo/seed1", StageStatus("running"))
    assert json.loads((tmp_path / "study.json").read_text())["criteria"] == first


def test_a_twin_may_be_tracked_in_some_mixtures_only(tmp_path):
    twin = {"of": "tinygsm", "contains": "'''"}
    everywhere, there = (
        _graph(tmp_path, behaviours={"single": twin}),
        _graph(tmp_path, behaviours={"single": twin | {"only": ["a"]}}),
    )
    plain = _graph(tmp_path)
    for name, node in there.nodes.items():
        same = everywhere if node.mixture == "a" else plain
        assert node.spec == same.nodes[name].spec, name
    with pytest.raises(UserError, match="behaviours.single.only names 'd'"):
        _recipe(tmp_path, behaviours={"single": twin | {"only": ["a", "d"]}})
