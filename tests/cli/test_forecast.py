"""`echochamber forecast` from a folder to its three files, and what it refuses."""

import json

import polars as pl
import pytest

from echochamber.core import formats
from echochamber.model.checkpoint import save_checkpoint
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

pytestmark = pytest.mark.medium

MODULE = """
from echochamber import Format, register_format
register_format(Format("short", lambda text: len(text) < 11, "function", title="<b>short</b> text"))
register_format(Format("long", lambda text: len(text) >= 11, "function", title="long text"))
"""
ARM = ["steps=3", "prompts_per_step=4", "samples_per_prompt=4", "max_new_tokens=8", "problems.count=8"]


@pytest.fixture
def base(tmp_path, tokenizer, monkeypatch):  # noqa: F811
    """A random model, and a module with two formats that its completions fall into."""
    monkeypatch.setattr(formats, "_REGISTRY", dict(formats._REGISTRY))
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    (tmp_path / "kinds.py").write_text(MODULE)
    return tmp_path / "base"


def _forecast(run, base, *extra):
    out = base.parent / "out"
    how = ["--problems", "easy", "--limit", "10", "--samples", "32", "--runs", "3", "--further-runs", "2"]
    module = ["--module", base.parent / "kinds.py"]
    return (*run("forecast", base, *how, "--workers", "1", "--out", out, *module, *ARM, *extra), out)


def test_a_forecast_is_printed_and_written(run, base):
    status, printed, said, out = _forecast(run, base, "reward=format:long")
    assert status == 0
    assert said.count("checkpoint outside a study") == 1, "what is used is said once"
    for title in ("What the model does before RL", "What RL will do", "Why", "What would change it"):
        assert title in printed
    data = json.loads((out / "forecast.json").read_text())
    assert set(data["behaviours"]) == {"short", "long"}
    assert sum(row["share"] for row in data["behaviours"].values()) == pytest.approx(1)
    outcome = data["outcome"]
    assert outcome["final_shares"]["long"]["value"] > data["behaviours"]["long"]["share"], (
        "it alone is rewarded"
    )
    status, as_json, _, _ = _forecast(run, base, "reward=format:long", "--json")
    assert status == 0
    assert json.loads(as_json) == data
    paths = pl.read_parquet(out / "forecast.parquet")
    arm = paths.filter(pl.col("kind") == "arm")
    assert sorted(arm["step"].unique()) == [0, 1, 2, 3]
    assert arm.group_by("step").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 4)
    end = arm.filter((pl.col("step") == 3) & (pl.col("behaviour") == "long"))["share"].item()
    assert end == pytest.approx(outcome["final_shares"]["long"]["value"])


def test_the_model_is_sampled_as_the_arm_samples(run, base):
    *_, out = _forecast(run, base, "reward=format:long", "temperature=0.7")
    (manifest,) = [
        json.loads(path.read_text()) for path in out.rglob("manifest.json") if "evaluate" in str(path.parent)
    ]
    settings = manifest["config"]["evaluate"]
    assert (settings["temperature"], settings["max_new_tokens"]) == (0.7, 8)


def test_the_page_says_what_the_terminal_says_and_runs_nothing(run, base):
    _, printed, _, out = _forecast(run, base, "reward=format:long")
    page = (out / "forecast.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "&lt;b&gt;short&lt;/b&gt; text" in page, "a title of the user's is text"
    assert "<b>short" not in page
    assert printed.splitlines()[0][:30] in page.replace("&lt;", "<").replace("&gt;", ">")


def test_a_second_run_samples_nothing_again(run, base):
    first = _forecast(run, base, "reward=format:long")[3]
    (records,) = first.rglob("records.parquet")
    before = records.stat().st_mtime_ns
    again = _forecast(run, base, "reward=format:long")
    assert again[0] == 0
    assert list(first.rglob("records.parquet")) == [records]
    assert records.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ((), "is right, so no group would carry signal"),
        (("--algorithm", "sft"), "--algorithm 'sft' is not known"),
        (("learning_rate=1",), "learning_rate"),
        (("reward=nothing",), "reward 'nothing' is not known"),
        (("top_p=0.5",), "top_p 0.5"),
    ],
)
def test_what_cannot_be_forecast_is_one_line(run, base, extra, message):
    status, _, said, out = _forecast(run, base, *extra)
    assert status == 2
    assert message in said.splitlines()[-1]
    assert not (out / "forecast.json").exists()


def test_the_prompt_is_that_of_the_options(run, base):
    """A forecast of a few-shot prompt rests on an evaluation with that prompt."""
    shots = base.parent / "shots.jsonl"
    shots.write_text('{"question": "1?", "completion": "one"}\n')
    prompt = ["--few-shot", "1", "--examples", shots, "--prompt-suffix", " A:"]
    status, _, _, out = _forecast(run, base, "reward=format:long", *prompt)
    assert status == 0
    (manifest,) = (json.loads(path.read_text()) for path in out.rglob("manifest.json"))
    used = manifest["config"]["evaluate"]
    assert (used["prompt"]["few_shot"], used["prompt_suffix"]) == (1, " A:")
    assert used["prompt"]["examples"] == [{"question": "1?", "completion": "one"}]
    status, _, said, _ = _forecast(run, base, "reward=format:long", "--few-shot", "1")
    assert status == 2
    assert "1 examples are asked for" in said
    status, _, said, _ = _forecast(run, base, "prompt.template=chat")
    assert status == 2
    assert "prompt_suffix are no settings of a forecast's arm; give --template" in said.splitlines()[-1]
