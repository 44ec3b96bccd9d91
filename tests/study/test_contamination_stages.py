"""Every set that a study evaluates is searched for: its problems are refused, left out, or counted."""

import json
from pathlib import Path
from typing import Any

import yaml

from echochamber.analysis.report import build_report
from echochamber.core.artifacts import Store
from echochamber.study.execute import open_study, run_study
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_graph import StageGraph
from echochamber.study.status import StudyStatus

DATA = {"tokens", "shards", "contamination"}
STORY = (
    "A farmer has {0} cows and {1} sheep, sells {0} of them, and then buys {1} more. How many {0} and {1}?"
)
MODULE = """
from echochamber import Document, register_source

def told(seed):
    for number in range(60):
        yield Document(f"Story {number}.", f"{number}.")
    yield Document("", "It says: a farmer has 12 cows and 7 sheep, sells 12 of them, and then buys none.")
    while True:
        yield Document("", "no more")

register_source("told", told)
"""


def rows(path: Path, questions: list[str]) -> str:
    lines = (json.dumps({"question": text, "answer": "#### 1"}) for text in questions)
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def graph_of(folder: Path, recipe: dict[str, Any]) -> tuple[StageGraph, StudyStatus]:
    path = folder / "mine.yaml"
    path.write_text(
        yaml.safe_dump({"name": "mine", "tokenizer": {"documents": 200, "vocab_size": 300}} | recipe)
    )
    return open_study(load_recipe(str(path)), folder / "study")


def file_recipe(folder: Path, mixture: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """One source with two documents that hold a problem of the further set, of 40."""
    known = [STORY.format(12, 7), STORY.format(30, 4)]
    source = rows(folder / "train.jsonl", [*(f"Question {n}?" for n in range(38)), *known])
    rows(folder / "own.jsonl", [f"Which number of many comes directly after {n} in order?" for n in range(9)])
    rows(folder / "more.jsonl", [known[0], *(STORY.format(n, n) for n in range(40, 59))])
    mixtures = {"mix": {"sources": {"real": {"path": source}}} | (mixture or {})}
    more = {"sets": [str(folder / "more.jsonl")], "count": 20}
    return {
        "mixtures": mixtures,
        "evaluate": {"sets": [str(folder / "own.jsonl")], "count": 9},
        "rl": {"grpo": {"algorithm": "grpo"}},
        "also_evaluate": {"more": more},
    } | keys


def test_a_further_set_is_refused_with_a_line_that_names_all(tmp_path: Path) -> None:
    graph, status = graph_of(tmp_path, file_recipe(tmp_path))
    assert run_study(graph, status, DATA) == 1
    state = status.nodes["overlaps/real"]
    assert state.bad_input
    assert state.error.startswith(
        f"source 'real' holds at least 1 of the 20 problems of '{tmp_path}/more.jsonl' (5.0%, allowed 1.0%); "
        "first: document 38 and problem "
    )
    assert "set on_contamination: drop" in state.error
    assert "\n" not in state.error
    assert status.nodes["shards/mix"].status == "done"
    waits = graph.nodes["pretrain/mix/nano-0.8m/seed0"]
    assert "contamination/mix" in waits.parents


def test_allowed_overlap_is_counted_on_the_page(tmp_path: Path) -> None:
    graph, status = graph_of(tmp_path, file_recipe(tmp_path, {"max_contamination": 0.5}))
    assert run_study(graph, status, DATA) == 0
    build_report(tmp_path / "study")
    page = (tmp_path / "study/report.html").read_text()
    found = f'<tr><th scope="row">real</th><td>{tmp_path}/more.jsonl</td><td class="n">20</td>'
    assert found + '<td class="n">1</td><td class="n">1</td><td class="n">0</td><td>trained on</td>' in page


def test_dropped_documents_are_in_no_shard_and_counted(tmp_path: Path) -> None:
    graph, status = graph_of(tmp_path, file_recipe(tmp_path, {"on_contamination": "drop"}))
    assert run_study(graph, status, DATA) == 0
    assert "contamination/mix" not in graph.nodes
    plan = json.loads((graph.folder("shards/mix") / "plan.json").read_text())
    (source,) = plan["sources"]
    assert (source["documents_available"], source["documents_obtained"]) == (39, 39)
    assert source["note"] == "1 documents with evaluation problems dropped"
    assert [(row["problems_found"], row["dropped"]) for row in source["contamination"]] == [
        (0, True),
        (1, True),
    ]
    build_report(tmp_path / "study")
    assert "<td>left out</td><td>train.jsonl, document 38 and problem" in (
        tmp_path / "study/report.html"
    ).read_text().replace("\n", "")


def test_real_rows_beside_generated_ones_and_a_modules_documents(tmp_path: Path) -> None:
    """Of a module's documents as many are searched as the mixture draws; generated ones need none."""
    (tmp_path / "own.py").write_text(MODULE)
    found = file_recipe(tmp_path, modules=[str(tmp_path / "own.py")])
    for drawn, failed in ((60, 0), (61, 1)):
        sources = {"told": {"documents": drawn}, "omi1": {"documents": 20}}
        graph, status = graph_of(tmp_path, found | {"mixtures": {"mix": {"sources": sources}}})
        assert run_study(graph, status, DATA) == failed
        assert set(graph.nodes["contamination/mix"].spec.parents) >= {"shards"}
        assert (status.nodes["contamination/mix"].status == "failed") is bool(failed)
    mixture = {"sources": sources, "on_contamination": "drop"}
    graph, status = graph_of(tmp_path, found | {"mixtures": {"mix": mixture}})
    assert run_study(graph, status, DATA) == 0
    plan = json.loads((graph.folder("shards/mix") / "plan.json").read_text())
    (told,) = (source for source in plan["sources"] if source["name"] == "told")
    assert told["note"] == "1 documents with evaluation problems dropped"
    assert told["documents_obtained"] == 61


def test_a_further_set_leaves_all_other_fingerprints_as_they_are(tmp_path: Path) -> None:
    with_set = file_recipe(tmp_path)
    without = {key: value for key, value in with_set.items() if key != "also_evaluate"}
    graphs = [graph_of(tmp_path, recipe)[0] for recipe in (without, with_set)]
    prints = [{id: node.spec.fingerprint for id, node in graph.nodes.items()} for graph in graphs]
    assert prints[0].items() <= prints[1].items()
    assert {"overlaps/real", "contamination/mix"} <= set(prints[1]) - set(prints[0])


def test_the_studies_of_generated_documents_have_nothing_to_search(tmp_path: Path) -> None:
    for name in ("paper-nano", "echo-chamber", "smoke"):
        graph = build_graph(load_recipe(name), Store(tmp_path))
        assert not [id for id in graph.nodes if id.startswith(("overlaps", "contamination"))]


def test_math_train_against_aime(tmp_path: Path, shared_data: Path) -> None:
    """MATH train holds 552 of AIME's 933 problems: refused, allowed, or 626 documents are left out."""
    source = {"math": {"path": str(shared_data / "math/train.jsonl.gz"), "on_bad_row": "skip"}}
    recipe: dict[str, Any] = {
        "mixtures": {"mix": {"sources": source}},
        "evaluate": {"sets": [str(shared_data / "math500/test.jsonl")], "count": 500},
        "rl": {"grpo": {"algorithm": "grpo"}},
        "also_evaluate": {"aime": {"sets": [str(shared_data / "aime/aime_1983_2024.csv")], "count": 933}},
        "on_bad_row": "skip",
    }
    graph, status = graph_of(tmp_path, recipe)
    assert run_study(graph, status, {"contamination"}) == 1
    assert "of the 933 problems of" in status.nodes["overlaps/math"].error
    recipe["mixtures"]["mix"]["max_contamination"] = 1
    graph, status = graph_of(tmp_path, recipe)
    assert run_study(graph, status, {"contamination"}) == 0
    (row,) = json.loads((graph.folder("contamination/mix") / "contamination.json").read_text())["sources"]
    (found,) = row["contamination"]
    assert (found["problems"], found["problems_found"]) == (933, 552)
    recipe["mixtures"]["mix"]["on_contamination"] = "drop"
    graph, status = graph_of(tmp_path, recipe)
    assert run_study(graph, status, DATA) == 0
    (left,) = json.loads((graph.folder("shards/mix") / "plan.json").read_text())["sources"]
    assert (left["documents_obtained"], left["note"]) == (
        7500 - 626,
        "626 documents with evaluation problems dropped",
    )
    assert [row["problems_found"] for row in left["contamination"]] == [59, 552]
