"""Evaluation by chunks: cut anywhere and continued, the result is the same in bytes and little is lost."""

import json
from dataclasses import replace

import polars as pl
import pytest

from echochamber.core.errors import UserError
from echochamber.core.parquet_chunks import ParquetChunks, join_chunks
from echochamber.core.types import Problem
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rollout import sample_and_grade as graded
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages import evaluate as evaluating
from echochamber.stages.evaluate import EvaluateConfig, Target, evaluate
from echochamber.verify.grade import Grader
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

PROBLEMS = [
    Problem(f"p{i}", f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "test")
    for i in range(7)
]
CONFIG = EvaluateConfig(samples=4, max_new_tokens=6, chunk_completions=8)
FILES = ("records.parquet", "problems.parquet", "summary.json")


@pytest.fixture(scope="module")
def target(tmp_path_factory, tokenizer):  # noqa: F811
    folder = tmp_path_factory.mktemp("model") / "step_3"
    save_checkpoint(folder, tiny_model("llama"), tokenizer)
    return Target(3, folder, 4)


@pytest.fixture(scope="module")
def whole(target, tmp_path_factory):
    """The artifact of an uncut evaluation."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    _run(target, folder)
    return folder


def _run(target, folder, config=CONFIG):
    folder.mkdir(exist_ok=True)
    evaluate(
        config,
        [target],
        {"all": PROBLEMS},
        folder,
        start_runtime(RuntimeConfig(threads=1, compile="off")),
        Labels("base", 0),
    )
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("cut_at", [2, 5])
def test_cut_anywhere_it_ends_in_the_same_bytes_and_samples_no_finished_chunk_again(
    target, whole, tmp_path, monkeypatch, cut_at
):
    drawn, calls = graded.drawn, []

    def counted(engine, problems, samples, *rest):
        calls.append((problems[0].id, len(samples)))
        if len(calls) == cut_at:
            raise KeyboardInterrupt
        return drawn(engine, problems, samples, *rest)

    monkeypatch.setattr(graded, "drawn", counted)
    with pytest.raises(KeyboardInterrupt):
        _run(target, tmp_path / "cut")
    finished = {problem for problem, _ in calls[: (cut_at - 1) // 2 * 2]}
    before = len(calls)
    assert _run(target, tmp_path / "cut") == {name: (whole / name).read_bytes() for name in FILES}
    again = {problem for problem, _ in calls[before:]}
    assert again.isdisjoint(finished)
    assert again | finished == {"p0", "p2", "p4", "p6"}


def test_chunks_of_two_problems_hold_every_completion_once(whole):
    frame = pl.read_parquet(whole / "records.parquet")
    found = frame.group_by("problem_id").agg(pl.col("sample").sort())
    assert dict(found.rows()) == {p.id: [-1, 0, 1, 2, 3] for p in PROBLEMS}
    assert frame["problem_id"].unique(maintain_order=True).to_list() == [p.id for p in PROBLEMS]
    (row,) = json.loads((whole / "summary.json").read_text())
    assert sum(row["outcomes"].values()) == 28


def test_chunk_size_does_not_change_which_numbers_come_out(target, whole, tmp_path):
    """One chunk or four: the same streams, so the same texts."""
    _run(target, tmp_path / "one", CONFIG.model_copy(update={"chunk_completions": 1000}))
    texts = [
        pl.read_parquet(folder / "records.parquet").sort("problem_id", "sample")["text"].to_list()
        for folder in (whole, tmp_path / "one")
    ]
    assert texts[0] == texts[1]


def test_no_problems_is_said(target, tmp_path):
    with pytest.raises(UserError, match="empty: holds no problems"):
        evaluate(
            CONFIG,
            [target],
            {"empty": []},
            tmp_path,
            start_runtime(RuntimeConfig(threads=1, compile="off")),
            Labels(),
        )


def test_two_problems_of_one_id_are_refused(target, tmp_path):
    with pytest.raises(UserError, match="'p0'; ids must be unique"):
        evaluate(
            CONFIG,
            [target],
            {"all": [*PROBLEMS, PROBLEMS[0]]},
            tmp_path,
            start_runtime(RuntimeConfig(threads=1, compile="off")),
            Labels(),
        )


def test_chunks_with_other_style_columns_join_into_one_table(tmp_path):
    chunks = ParquetChunks(tmp_path, "part", 2)
    chunks.write(0, pl.DataFrame({"a": [1, 2], "style_z": ["y", "n"]}))
    assert chunks.missing == [1]
    chunks.write(1, pl.DataFrame({"a": [3], "style_b": ["q"]}))
    join_chunks(chunks.paths, tmp_path / "all.parquet")
    joined = pl.read_parquet(tmp_path / "all.parquet")
    assert joined.columns == ["a", "style_b", "style_z"]
    assert joined.rows() == [(1, None, "y"), (2, None, "n"), (3, "q", None)]


@pytest.mark.parametrize("failing", [1, 3])
def test_many_ungraded_completions_are_said(target, tmp_path, monkeypatch, failing):
    """Over 5% of 35 completions: two or more; the numbers are of the others."""
    lines = []
    monkeypatch.setattr(evaluating, "say", lines.append)
    grade_batch = Grader.grade_batch

    def failed(grader, items, described=None):
        verdicts = grade_batch(grader, items, described)
        ids = [problem.id for problem, _ in items]
        first = ids.index("p0") if "p0" in ids and len(items) > len(set(ids)) else len(ids)
        for index in range(first, min(first + failing, len(ids))):
            verdicts[index] = replace(verdicts[index], outcome="infrastructure")
        return verdicts

    monkeypatch.setattr(Grader, "grade_batch", failed)
    _run(target, tmp_path / "out")
    (row,) = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert row["infrastructure"] == failing
    if failing == 1:
        assert lines == []
    else:
        assert lines == [
            "evaluate, step 3, all: 3 of 35 completions could not be graded and are left out of every number"
            "; run `echochamber doctor`, and check your own formats' answer rules"
        ]
