"""The probe: openings are forced, log-probabilities are the model's, a cut probe ends in the same bytes."""

import json

import numpy as np
import polars as pl
import pytest

from echochamber.core.errors import UserError
from echochamber.core.records import RECORD_SCHEMA
from echochamber.core.types import Problem
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.tokenizer import train_tokenizer
from echochamber.rollout import sample_and_grade as graded
from echochamber.rollout.demonstrations import Demonstration
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages.probe import Checkpoint, ProbeConfig, probe
from echochamber.stages.probe_summary import forced_rows, likelihood_rows, sweep_rows
from tests.model.conftest import CORPUS, tiny_model, tokenizer  # noqa: F401

pytestmark = pytest.mark.medium

PROBLEMS = [
    Problem(f"p{i}", f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "test")
    for i in range(5)
]
CONFIG = ProbeConfig(
    samples=2, temperatures=(0.0, 0.7), likelihood_samples=2, max_new_tokens=60, chunk_completions=4
)
GIVEN = [
    Demonstration(Problem("line 1", "How many pens?", "3", "mine.jsonl"), "3 * 1 = 3"),
    Demonstration(Problem("line 2", "How many boxes?", "", "mine.jsonl"), "1"),
]
FILES = ("forced.parquet", "sweep.parquet", "likelihood.parquet", "summary.json")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, tokenizer):  # noqa: F811
    folder = tmp_path_factory.mktemp("models")
    for step, seed in ((3, 0), (0, 1)):
        save_checkpoint(folder / f"step_{step}", tiny_model("llama", seed=seed), tokenizer)
    return Checkpoint(3, folder / "step_3"), Checkpoint(0, folder / "step_0")


@pytest.fixture(scope="module")
def out(checkpoints, tmp_path_factory):
    """The artifact of an uncut probe."""
    folder = tmp_path_factory.mktemp("probe") / "out"
    _run(checkpoints, folder)
    return folder


def _run(checkpoints, folder, config=CONFIG, given=GIVEN):
    folder.mkdir(exist_ok=True)
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    probe(config, *checkpoints, given, {"all": PROBLEMS}, folder, runtime, Labels("grpo", 0))
    return {name: (folder / name).read_bytes() for name in FILES}


def test_forced_completions_open_as_told_and_say_which_format_was_asked(out):
    frame = pl.read_parquet(out / "forced.parquet")
    assert set(RECORD_SCHEMA) <= set(frame.columns)
    assert dict(frame.group_by("forced_format").len().rows()) == {
        "tinygsm": 10,
        "omi1": 10,
        "omi2": 10,
        "metamath": 10,
    }
    opening = "def simple_math_problem() -> int:"
    texts = frame.filter(pl.col("forced_format") == "tinygsm")["text"].to_list()
    assert all(text.startswith(opening) and len(text) >= len(opening) for text in texts)
    assert set(frame["step"]) == {3}


def test_sweep_has_one_greedy_and_several_sampled_completions(out):
    frame = pl.read_parquet(out / "sweep.parquet")
    counts = (
        frame.group_by(pl.col("temperature").round(3))
        .agg(pl.col("sample").unique().sort())
        .sort("temperature")
    )
    assert counts["sample"].to_list() == [[-1], [0, 1]]


def test_likelihoods_are_those_of_the_sampler_and_add_up(checkpoints, out):
    """Token by token against the model applied to the whole text, without packing or caches."""
    import torch

    frame = pl.read_parquet(out / "likelihood.parquet")
    assert dict(frame.group_by("writer").len().rows()) == {"checkpoint": 10, "reference": 10, "given": 2}
    for row in frame.iter_rows(named=True):
        assert (
            row["num_tokens"] == len(row["tokens"]) == len(row["logprobs"]) == len(row["logprobs_reference"])
        )
        assert row["logprob"] == pytest.approx(sum(row["logprobs"]), abs=1e-3)
    row = frame.filter((pl.col("writer") == "given") & (pl.col("problem_id") == "line 1")).row(0, named=True)
    assert row["tokens"][-1] == "<end>"
    assert "".join(row["tokens"][:-1]) == "3 * 1 = 3"
    for checkpoint, column in zip(checkpoints, ("logprobs", "logprobs_reference"), strict=True):
        model, tokens = load_checkpoint(checkpoint.folder)
        prompt = tokens.encode("How many pens?\n\n")
        ids = prompt + tokens.encode("3 * 1 = 3") + [tokens.eos_id]
        with torch.no_grad():
            logp = torch.log_softmax(model.lm_head(model.hidden(torch.tensor([ids])))[0].float(), dim=-1)
        wanted = [float(logp[i - 1, ids[i]]) for i in range(len(prompt), len(ids))]
        assert row[column] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("cut_at", [4, 9])
def test_cut_and_continued_it_ends_in_the_same_bytes(checkpoints, out, tmp_path, monkeypatch, cut_at):
    whole = {name: (out / name).read_bytes() for name in FILES}
    drawn, calls = graded.drawn, []

    def cut(*arguments):
        calls.append(1)
        if len(calls) == cut_at:
            raise KeyboardInterrupt
        return drawn(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(graded, "drawn", cut)
        with pytest.raises(KeyboardInterrupt):
            _run(checkpoints, tmp_path / "cut")
    assert _run(checkpoints, tmp_path / "cut") == whole


def test_summary_has_each_kind_with_intervals(out):
    rows = json.loads((out / "summary.json").read_text())
    assert [row["format"] for row in rows if row["kind"] == "forced"] == [
        "tinygsm",
        "omi1",
        "omi2",
        "metamath",
    ]
    assert [row["temperature"] for row in rows if row["kind"] == "sweep"] == [0.0, 0.7]
    found = {row["writer"]: row for row in rows if row["kind"] == "likelihood"}
    assert set(found) == {"checkpoint", "reference", "given"}
    # Each model finds its own completions likelier than the other does: the mean is a KL divergence.
    assert found["checkpoint"]["intervals"]["difference"][0] > 0
    assert found["reference"]["intervals"]["difference"][1] < 0


def test_summaries_by_hand():
    forced = pl.LazyFrame(
        {
            "problem_set": ["a"] * 4,
            "problem_id": ["p", "p", "q", "q"],
            "forced_format": ["omi1"] * 4,
            "outcome": ["wrong"] * 4,
            "format": ["omi1", "omi1", "omi1", "other"],
            "correct": [True, False, True, True],
        }
    )
    (row,) = forced_rows(forced)
    assert (row["accuracy"], row["kept"], row["accuracy_kept"]) == pytest.approx((3 / 4, 3 / 4, 2 / 3))
    assert row["intervals"]["accuracy"][0] <= 0.75 <= row["intervals"]["accuracy"][1]
    swept = pl.LazyFrame(
        {
            "problem_set": ["a"] * 3,
            "problem_id": ["p", "p", "q"],
            "temperature": [0.3] * 3,
            "outcome": ["wrong"] * 3,
            "correct": [True, False, True],
        }
    )
    (row,) = sweep_rows(swept)
    assert (row["temperature"], row["accuracy"]) == (0.3, 0.75)
    likely = pl.LazyFrame(
        {
            "problem_set": ["a"] * 2,
            "writer": ["checkpoint"] * 2,
            "problem_id": ["p", "q"],
            "num_tokens": [2, 4],
            "logprob": [-1.0, -2.0],
            "logprob_reference": [-5.0, -2.0],
            "logprobs": [[-0.5, -0.5], [-0.5] * 4],
            "logprobs_reference": [[-4.5, -0.5], [-0.5] * 4],
        }
    )
    (row,) = likelihood_rows(likely)
    assert (row["logprob"], row["difference"], row["moved"]) == pytest.approx((-1.5, 2.0, 0.25))
    assert row["logprob_per_token"] == pytest.approx(-0.5)
    assert np.isfinite(row["intervals"]["difference"]).all()


def test_without_reference_or_given_nothing_is_compared(checkpoints, tmp_path):
    (tmp_path / "out").mkdir()
    runtime = start_runtime(RuntimeConfig(threads=1, compile="off"))
    probe(CONFIG, checkpoints[0], None, [], {"all": PROBLEMS}, tmp_path / "out", runtime, Labels())
    assert not (tmp_path / "out" / "likelihood.parquet").exists()


def test_a_format_without_an_opening_and_an_unknown_one_are_named():
    with pytest.raises(UserError, match="'gsm8k' has no opening text"):
        ProbeConfig(formats=("gsm8k",)).forced()
    assert ProbeConfig(formats=("gsm8k",), openings={"gsm8k": "First, \n"}).forced() == {"gsm8k": "First,"}
    with pytest.raises(UserError, match="'tiny' is not registered"):
        ProbeConfig(formats=("tiny",)).forced()


def test_a_reference_with_another_tokenizer_is_refused(checkpoints, tmp_path):
    save_checkpoint(tmp_path / "other", tiny_model("llama"), train_tokenizer(CORPUS[:3], 260))
    with pytest.raises(UserError, match="another tokenizer"):
        _run((checkpoints[0], Checkpoint(0, tmp_path / "other")), tmp_path / "out")
