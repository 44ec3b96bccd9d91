"""What surface cues answer, for every set of every study, and for a single checkpoint where that can be known."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from echochamber.analysis import build_report
from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.execute import open_study, run_study
from echochamber.study.graph import build_graph
from echochamber.study.named_problems import named_problems
from echochamber.study.recipe import load_recipe
from echochamber.study.shortcut_baselines import surface_of, training_questions

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
        "name": "mine", "world": WORLD, "tokenizer": {"documents": 200, "vocab_size": 300},
        "mixtures": {"mix": {"sources": sources}}, "evaluate": {"sets": sets, "count": 30},
    } | keys  # fmt: skip
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


def prepared(folder: Path, sources: dict[str, Any], sets: list[str]) -> tuple[dict[str, Any], str]:
    """(`surface.json` of the mixture, the text of the study's page) after `prepare`."""
    graph, status = open_study(load_recipe(recipe_file(folder, sources, sets), []), folder / "study")
    assert run_study(graph, status, {"problems", "shards", "surface"}) == 0
    (found,) = (folder / "study" / "artifacts").glob("surface-*")
    build_report(folder / "study")
    return json.loads((found / "surface.json").read_text()), (folder / "study" / "report.html").read_text()


def test_a_file_set_beside_a_mixture_of_the_world_alone(tmp_path: Path) -> None:
    mine = rows_file(tmp_path / "mine.jsonl")
    sources = {"tinygsm": {"documents": 60}, "prose": {"share": 0.2}}
    found, page = prepared(tmp_path, sources, ["easy", str(mine)])
    ((name, scores),) = found.items()
    assert name.endswith("mine.jsonl/30")
    assert (scores["train_questions"], scores["problems"]) == (60, 30)
    assert set(scores["scores"]) == {"fixed_expression", "nearest_question"}
    for row in ("test/easy/30", name):
        assert f'<th scope="row">{row}</th>' in page
    assert "mixture mix" in page


def test_a_file_set_beside_real_rows_and_the_world(tmp_path: Path) -> None:
    mine, train = rows_file(tmp_path / "mine.jsonl"), rows_file(tmp_path / "train.jsonl", ROWS[:20])
    sources = {"own": {"path": str(train), "copies": 1}, "omi1": {"documents": 50}}
    graph, status = open_study(
        load_recipe(
            recipe_file(
                tmp_path, sources, [str(mine)], mixtures={"mix": {"sources": sources, "max_contamination": 1}}
            ),
            [],
        ),
        tmp_path / "s",
    )
    assert run_study(graph, status, {"surface"}) == 0
    (found,) = (tmp_path / "s" / "artifacts").glob("surface-*/surface.json")
    ((_, scores),) = json.loads(found.read_text()).items()
    assert scores["train_questions"] == 70
    assert scores["scores"]["nearest_question"]["share"] > 0


def test_nothing_to_compare_is_said_on_the_page(tmp_path: Path) -> None:
    mine = rows_file(tmp_path / "mine.jsonl")
    found, page = prepared(tmp_path, {"prose": {"documents": 20}}, [str(mine)])
    assert list(found.values()) == [{}]
    assert page.count('<td class="n">not estimable</td>') == 2


def test_the_sets_of_rl_and_of_further_evaluations_are_compared_too_and_nothing_rests_on_it(
    tmp_path: Path,
) -> None:
    files = [rows_file(tmp_path / f"{name}.jsonl") for name in ("one", "two", "three")]
    rl = {"grpo": {"algorithm": "grpo", "problems": {"set": str(files[1]), "count": 20}}}
    path = recipe_file(
        tmp_path,
        {"omi2": {"documents": 50}},
        [str(files[0])],
        rl=rl,
        also_evaluate={"more": {"sets": [str(files[2])], "count": 10}},
    )
    graph = build_graph(load_recipe(path, []), Store(tmp_path / "artifacts"))
    (surface,) = [node for node in graph.nodes.values() if node.kind == "surface"]
    assert sorted(Path(parent).parent.name for parent in surface.parents[1:]) == [
        "one.jsonl",
        "three.jsonl",
        "two.jsonl",
    ]
    assert not any(surface.id in node.parents for node in graph.nodes.values())
    with_file = graph.nodes["pretrain/mix/nano-0.8m/seed0"].spec.fingerprint
    without = build_graph(
        load_recipe(recipe_file(tmp_path, {"omi2": {"documents": 50}}, ["easy"]), []),
        Store(tmp_path / "artifacts"),
    )
    assert without.nodes["pretrain/mix/nano-0.8m/seed0"].spec.fingerprint == with_file
    assert not any(node.kind == "surface" for node in without.nodes.values())


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
    scores, line = surface_of(find_checkpoint(smoke), "mine", mine, None, 0)
    assert scores["problems"] == len(ROWS)
    assert line.startswith("surface cues, mine: fixed expression")
    shutil.copytree(find_checkpoint(smoke), tmp_path / "alone")
    assert surface_of(tmp_path / "alone", "mine", mine, None, 0) == (
        {},
        "surface cues, mine: not estimable, the checkpoint does not lie in a study with the questions it was trained on",
    )
