"""Shortcut baselines of every set of every study, and of a single checkpoint where they can be known."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from echochamber.analysis.report import build_report
from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.stages.shortcut_baselines import training_questions
from echochamber.study import scoring_stages, training_stages
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.evaluate_checkpoint import shortcuts_of
from echochamber.study.execute import open_study, run_study
from echochamber.study.graph import build_graph
from echochamber.study.named_problems import named_problems
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_graph import StageGraph

ROWS = [
    {
        "question": f"Tom has {n} pens and {n + 2} caps. How many things is that?",
        "answer": f"#### {2 * n + 2}",
    }
    for n in range(3, 40)
]
WORLD = {"families": ["collect", "shopping"], "operations": [1, 2], "max_value": 100}


def rows_file(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe_file(folder: Path, sources: dict[str, Any], sets: list[str], **keys: Any) -> str:
    data = {
        "name": "mine",
        "world": WORLD,
        "tokenizer": {"documents": 200, "vocab_size": 300},
        "mixtures": {"mix": {"sources": sources}},
        "evaluate": {"sets": sets, "count": 30},
    } | keys
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages of a model leave no model: what is scored here are problem sets."""
    for work in (("stages.pretrain", "pretrain"), ("rl.loop", "rl"), ("stages.evaluate", "evaluate")):
        monkeypatch.setattr("echochamber." + ".".join(work), lambda *_: None)
    for stages in (training_stages, scoring_stages):
        monkeypatch.setattr(stages, "checkpoint_at", lambda folder, step: folder)
    monkeypatch.setattr(scoring_stages, "checkpoints_of", lambda folder: {0: folder, 1: folder})


def built(graph: StageGraph) -> dict[str, dict[str, Any]]:
    """Build every stage; id -> scores of those that have some."""
    found = {}
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off"))
    for node in graph.nodes.values():
        folder = graph.store.build(node.spec, lambda partial, node=node: node.run(partial, runtime))  # type: ignore[misc]
        if (folder / "shortcut_baselines.json").is_file():
            found[node.id] = json.loads((folder / "shortcut_baselines.json").read_text())
    return found


def scored(folder: Path, sources: dict[str, Any], sets: list[str], **keys: Any) -> tuple[dict[str, Any], str]:
    """(Scores of the base's evaluation, the text of the study's page)."""
    graph, status = open_study(load_recipe(recipe_file(folder, sources, sets, **keys), []), folder / "study")
    assert run_study(graph, status, {"problems", "shards"}) == 0
    found = built(graph)
    assert list(found) == ["evaluate/mix/nano-0.8m/base/seed0"]
    build_report(folder / "study")
    return next(iter(found.values())), (folder / "study" / "report.html").read_text()


@pytest.mark.medium
def test_a_file_set_beside_a_mixture_of_the_world_alone(tmp_path: Path, untrained: None) -> None:
    mine = rows_file(tmp_path / "mine.jsonl")
    sources = {"tinygsm": {"documents": 60}, "prose": {"share": 0.2}}
    found, page = scored(tmp_path, sources, ["easy", str(mine)])
    ((name, scores),) = found.items()
    assert name.endswith("mine.jsonl/30")
    assert (scores["train_questions"], scores["problems"]) == (60, 30)
    assert set(scores["scores"]) == {"fixed_expression", "nearest_question"}
    for row in ("test/easy/30", name):
        assert page.count(f'<th scope="row">{row}</th>') == 1
    assert "mixture mix" in page


def test_a_file_set_beside_real_rows_and_the_world(tmp_path: Path, untrained: None) -> None:
    mine, train = rows_file(tmp_path / "mine.jsonl"), rows_file(tmp_path / "train.jsonl", ROWS[:20])
    sources = {"own": {"path": str(train), "copies": 1}, "omi1": {"documents": 50}}
    mixtures = {"mix": {"sources": sources, "max_contamination": 1}}
    found, _ = scored(tmp_path, sources, [str(mine)], mixtures=mixtures)
    ((_, scores),) = found.items()
    assert scores["train_questions"] == 70
    assert scores["scores"]["nearest_question"]["share"] > 0


def test_nothing_to_compare_is_said_on_the_page(tmp_path: Path, untrained: None) -> None:
    mine = rows_file(tmp_path / "mine.jsonl")
    found, page = scored(tmp_path, {"prose": {"documents": 20}}, [str(mine)])
    assert list(found.values()) == [{}]
    assert page.count('<td class="n">not estimable</td>') == 2


def test_sets_of_rl_and_of_further_evaluations_are_scored_where_they_are_used(
    tmp_path: Path, untrained: None
) -> None:
    files = [rows_file(tmp_path / f"{name}.jsonl") for name in ("one", "two", "three")]
    rl = {"grpo": {"algorithm": "grpo", "problems": {"set": str(files[1]), "count": 20, "max_overlap": 1}}}
    path = recipe_file(
        tmp_path,
        {"omi2": {"documents": 50}},
        [str(files[0])],
        rl=rl,
        also_evaluate={"more": {"sets": [str(files[2])], "count": 10}},
    )
    graph = build_graph(load_recipe(path, []), Store(tmp_path / "artifacts"))
    names = {node_id: [Path(name).parent.name for name in scores] for node_id, scores in built(graph).items()}
    assert names == {
        "evaluate/mix/nano-0.8m/base/seed0": ["one.jsonl"],
        "rl/mix/nano-0.8m/grpo/seed0": ["two.jsonl"],
        "evaluate@more/mix/nano-0.8m/base/seed0": ["three.jsonl"],
    }


def test_the_scores_key_no_stage(tmp_path: Path) -> None:
    """They follow from what a checkpoint's fingerprint already holds, so they change none."""
    mine = rows_file(tmp_path / "mine.jsonl")

    def fingerprint(sets: list[str]) -> str:
        recipe = load_recipe(recipe_file(tmp_path, {"omi2": {"documents": 50}}, sets), [])
        graph = build_graph(recipe, Store(tmp_path / "artifacts"))
        return graph.nodes["pretrain/mix/nano-0.8m/seed0"].spec.fingerprint

    assert fingerprint(["easy", str(mine)]) == fingerprint(["easy"])


def test_scores_that_an_earlier_version_kept_in_a_stage_of_their_own_are_still_shown(
    tmp_path: Path, untrained: None
) -> None:
    mine = rows_file(tmp_path / "mine.jsonl")
    found, page = scored(tmp_path, {"tinygsm": {"documents": 60}}, [str(mine)])
    artifacts = tmp_path / "study" / "artifacts"
    (shards,), (evaluation,) = artifacts.glob("shards-*"), artifacts.glob("evaluate-*")
    (evaluation / "shortcut_baselines.json").unlink()
    build_report(tmp_path / "study")
    assert "mixture mix" not in (tmp_path / "study" / "report.html").read_text()
    earlier = artifacts / "surface-0123456789abcdef"
    earlier.mkdir()
    parents = {"parents": {"shards": shards.name.removeprefix("shards-")}}
    (earlier / "manifest.json").write_text(json.dumps(parents))
    (earlier / "surface.json").write_text(json.dumps(found))
    build_report(tmp_path / "study")
    rows = [line for line in page.splitlines() if "mixture mix" in line]
    assert rows
    assert all(row in (tmp_path / "study" / "report.html").read_text() for row in rows)


def test_rl_on_a_test_split_is_refused(tmp_path: Path) -> None:
    test = rows_file(tmp_path / "test.jsonl")
    rl = {"grpo": {"algorithm": "grpo", "problems": {"set": str(test), "count": 20}}}
    with pytest.raises(UserError, match=r"test\.jsonl: is a test split"):
        build_graph(
            load_recipe(recipe_file(tmp_path, {"omi2": {}}, ["easy"], rl=rl), []),
            Store(tmp_path / "artifacts"),
        )


def test_sets_of_the_hub_are_keyed_by_their_commit(tmp_path: Path) -> None:
    def problems(*sets: str, **keys: Any) -> dict[str, str]:
        graph = build_graph(
            load_recipe(recipe_file(tmp_path, {"omi2": {}}, list(sets), **keys), []),
            Store(tmp_path / "artifacts"),
        )
        return {node.id: node.spec.fingerprint for node in graph.nodes.values() if node.kind == "problems"}

    rl = {"grpo": {"algorithm": "grpo", "problems": {"set": "hub:gsm8k", "count": 20}}}
    first = problems("hub:gsm8k", rl=rl)
    assert set(first) == {"problems/test/hub:gsm8k/30", "problems/train/hub:gsm8k/20"}
    other = problems(f"hub:gsm8k@{40 * 'a'}", rl=rl)
    assert len(set(first.values()) | set(other.values())) == 3
    with pytest.raises(UserError, match="'aime-2024' has no pinned revision"):
        problems("hub:aime-2024")


def test_a_checkpoint_of_a_study_knows_its_questions_and_any_other_says_that_it_does_not(
    smoke: Path, tmp_path: Path
) -> None:
    mine = named_problems(str(rows_file(tmp_path / "mine.jsonl")), None)
    for kind in ("rl", "pretrain"):
        (artifact,) = (smoke / "artifacts").glob(f"{kind}-*")
        train = training_questions(find_checkpoint(artifact))
        assert train is not None
        assert len(train) == 2000
    scores, line = shortcuts_of(find_checkpoint(smoke), "mine", mine, None, 0)
    assert scores["problems"] == len(ROWS)
    assert line.startswith("shortcut baselines, mine: fixed expression")
    shutil.copytree(find_checkpoint(smoke), tmp_path / "alone")
    assert shortcuts_of(tmp_path / "alone", "mine", mine, None, 0) == (
        {},
        "shortcut baselines, mine: not estimable, "
        "the checkpoint does not lie in a study with the questions it was trained on",
    )
