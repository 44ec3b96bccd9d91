"""RL's problems are searched for those that are evaluated, before anything is trained on them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.core.types import Problem
from echochamber.rl.config import RLProblems
from echochamber.stages.check_training_problems import check_training_problems
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_graph import StageGraph


def _problems(*questions: str) -> list[Problem]:
    return [Problem(f"p{number}", text, "1") for number, text in enumerate(questions)]


TRAIN = _problems("How many pens has Mia?", "How many cows has Tom?", "Who is it?")


def test_equal_questions_are_counted_whatever_their_signs_and_case(tmp_path: Path, capsys: Any) -> None:
    evaluated = _problems("How many cows, has Tom", "How many cows has Tim?")
    check_training_problems("mine", TRAIN, {"test": evaluated, "other": _problems("What?")}, 0.5, tmp_path)
    (source,) = json.loads((tmp_path / "contamination.json").read_text())["sources"]
    assert source["name"] == "RL: mine"
    assert [(row["problem_set"], row["problems_found"]) for row in source["contamination"]] == [
        ("test", 1),
        ("other", 0),
    ]
    assert source["contamination"][0]["examples"] == ["training problem p1 and problem p0"]
    assert "RL's problems 'mine' hold 1 of the 2 problems of 'test' (50.0%)" in capsys.readouterr().err


def test_more_than_is_allowed_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        check_training_problems("mine", TRAIN, {"test": _problems("Who is it", "Why?")}, 0.49, tmp_path)
    assert str(error.value) == (
        "RL's problems 'mine' hold 1 of the 2 problems of 'test' (50.0%, allowed 49.0%); first: training "
        "problem p2 and problem p0; evaluate problems that RL does not train on, or raise "
        "rl.ARM.problems.max_overlap"
    )
    assert not list(tmp_path.iterdir())


def _graph(folder: Path, **keys: Any) -> StageGraph:
    for name in ("train", "test", "more"):
        row = {"question": f"How many of {name}?", "answer": "#### 1"}
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    recipe = {
        "name": "mine",
        "mixtures": {"mix": {"sources": {"tinygsm": {"copies": 1}}}},
        "evaluate": {"sets": [str(folder / "test.jsonl"), "easy"]},
        "rl": {
            "own": {"problems": {"set": str(folder / "train.jsonl")}},
            "world": {"problems": {"set": "all"}},
        },
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe | keys))
    return build_graph(load_recipe(str(folder / "mine.yaml")), Store(folder / "store"))


def _searches(graph: StageGraph) -> dict[str, list[str]]:
    """Search -> the arms that wait for it."""
    found = [id for id in graph.nodes if id.startswith("contamination/")]
    return {
        id: [node.arm or "" for node in graph.nodes.values() if node.kind == "rl" and id in node.parents]
        for id in found
    }


def test_an_arm_on_own_problems_waits_for_the_search(tmp_path: Path) -> None:
    graph = _graph(tmp_path)
    (search,) = _searches(graph)
    assert _searches(graph)[search] == ["own"]
    assert len(graph.nodes[search].parents) == 2, "sets of the world are not compared"
    world_alone = _graph(tmp_path, evaluate={"sets": ["easy"]})
    assert not _searches(world_alone)


def test_sets_of_further_evaluations_are_searched_for_too(tmp_path: Path) -> None:
    arms = {
        name: {"problems": {"set": str(tmp_path / "train.jsonl")}, "steps": steps}
        for name, steps in (("one", 3), ("two", 4))
    }
    more = {"more": {"sets": [str(tmp_path / "more.jsonl")], "where": {"rl": ["two"]}}}
    searches = _searches(_graph(tmp_path, rl=arms, also_evaluate=more))
    assert sorted(searches.values()) == [["one"], ["two"]]


def test_no_fingerprint_changes_by_the_search(tmp_path: Path) -> None:
    graph = _graph(tmp_path)
    (search,) = _searches(graph)
    trained = next(node for node in graph.nodes.values() if node.arm == "own" and node.kind == "rl")
    assert graph.nodes[search].spec.fingerprint not in trained.spec.parents.values()
    assert "max_overlap" not in RLProblems().identity()


@pytest.mark.parametrize("value", [-0.1, 1.5, "much"])
def test_a_limit_that_is_no_share_is_refused(tmp_path: Path, value: Any) -> None:
    own = {"problems": {"set": str(tmp_path / "train.jsonl"), "max_overlap": value}}
    with pytest.raises(UserError, match="rl.own.problems.max_overlap"):
        _graph(tmp_path, rl={"own": own})


def test_the_limit_is_no_option_of_an_environment() -> None:
    problems = RLProblems.model_validate({"set": "gym:chain_sum", "max_overlap": 0.5, "max_terms": 3})
    assert problems.max_overlap == 0.5
    assert problems.set == RLProblems.model_validate({"set": "gym:chain_sum", "max_terms": 3}).set
