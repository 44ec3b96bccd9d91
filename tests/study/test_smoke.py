"""The whole chain on a model too small to learn: artifacts, contracts, and a second run that does nothing."""

import json
import shutil
import time

import polars as pl
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from echochamber.analysis.questions.selection_or_skill import selection_or_skill
from echochamber.analysis.study_tables import findings
from echochamber.analysis.study_tables.collect import collect
from echochamber.core.formats import registered_formats
from echochamber.core.manifest import read_manifest
from echochamber.core.metrics import read_metrics
from echochamber.core.records import RECORD_SCHEMA
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.evaluate_checkpoint import evaluate_checkpoint
from echochamber.study.execute import open_study, run_study
from echochamber.study.recipe import load_recipe
from echochamber.study.results import finish_study, is_finished


def _one(folder, kind):
    (found,) = (folder / "artifacts").glob(f"{kind}-*")
    return found


def test_every_stage_is_done_and_has_a_manifest(smoke):
    study = json.loads((smoke / "study.json").read_text())
    assert {node["status"] for node in study["nodes"]} == {"done"}
    for node in study["nodes"]:
        assert read_manifest(smoke / node["folder"])["fingerprint"] == node["fingerprint"]
        assert node["seconds"] is not None
    leftover = [path for path in (smoke / "artifacts" / ".partial").iterdir() if path.is_dir()]
    assert leftover == []


def test_problem_sets_carry_shortcut_baselines(smoke):
    found = {
        path.parent.name: json.loads(path.read_text())
        for path in (smoke / "artifacts").glob("problems-*/surface.json")
    }
    assert sorted(scores["problems"] for scores in found.values()) == [8, 64]
    for scores in found.values():
        assert (
            0
            <= scores["scores"]["nearest_question"]["share"]
            <= scores["scores"]["nearest_question"]["interval"][1]
            <= 1
        )
    assert "Shortcut baselines" in (smoke / "report.html").read_text()


def test_summary_keeps_its_contract(smoke):
    summary = json.loads((smoke / "summary.json").read_text())
    for end in ("base", "final"):
        scores = summary[end]
        assert 0 <= scores["accuracy"] <= 1
        assert scores["pass@k"]["1"] == pytest.approx(scores["accuracy"])
        assert set(scores["maj@k"]) == set(scores["pass@k"]) == {"1", "2", "4"}
        assert sum(row["share"] for row in scores["formats"].values()) == pytest.approx(1)
    assert {"pretrain", "rl", "evaluate"} <= set(summary["stages"])
    assert summary["total_seconds"] == pytest.approx(sum(summary["stages"].values()), abs=0.1)


def test_records_have_every_column_and_one_row_per_completion(smoke):
    folders = sorted((smoke / "artifacts").glob("evaluate-*"))
    frame = pl.concat([pl.read_parquet(folder / "records.parquet") for folder in folders], how="diagonal")
    assert list(frame.columns[: len(RECORD_SCHEMA)]) == list(RECORD_SCHEMA)
    assert sorted(frame["step"].unique()) == [0, 1, 2, 3]
    assert len(frame) == 4 * 8 * (4 + 1)
    assert frame.filter(pl.col("sample") == -1)["temperature"].unique().to_list() == [0.0]
    assert set(frame["format"]) <= set(registered_formats())
    for folder in folders:
        assert {"problem_id", "pass@1", "maj@4"} <= set(pl.read_parquet(folder / "problems.parquet").columns)


def test_rl_metrics_are_named_as_agreed(smoke):
    rows = read_metrics(_one(smoke, "rl") / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert {
            "reward/mean",
            "reward/frac_zero_std",
            "policy/kl",
            "policy/entropy",
            "policy/clip_frac",
        } <= set(row)
        assert {"sampler/logprob_diff", "completion/length_mean", "completion/truncated"} <= set(row)
        assert sum(row[f"format/{name}/share"] for name in registered_formats()) == pytest.approx(1)
        assert row["sampler/logprob_diff"] < 2e-2
    assert rows[0]["policy/kl"] == pytest.approx(0, abs=1e-5)
    rollouts = pl.read_parquet(_one(smoke, "rl") / "rollouts.parquet")
    assert rollouts.group_by("step").len()["len"].to_list() == [8, 8, 8]


def test_checkpoints_load_in_transformers(smoke):
    checkpoints = _one(smoke, "rl") / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step_0", "step_1", "step_2", "step_3"]
    model = AutoModelForCausalLM.from_pretrained(checkpoints / "step_3")
    tokenizer = AutoTokenizer.from_pretrained(checkpoints / "step_3")
    assert model.config.vocab_size >= len(tokenizer)


def test_step_zero_is_the_base(smoke):
    base = find_checkpoint(_one(smoke, "pretrain"))
    start = _one(smoke, "rl") / "checkpoints" / "step_0"
    assert (base / "model.safetensors").read_bytes() == (start / "model.safetensors").read_bytes()


def test_a_second_run_changes_nothing(smoke):
    before = {
        path: path.stat().st_mtime_ns
        for path in smoke.rglob("*")
        if path.is_file() and path.name != "study.json"
    }
    graph, status = open_study(load_recipe("smoke", []), smoke)
    started = time.perf_counter()
    assert all(node.status == "done" for node in status.nodes.values())
    assert run_study(graph, status) == 0
    finish_study(smoke)
    assert time.perf_counter() - started < 5
    after = {
        path: path.stat().st_mtime_ns
        for path in smoke.rglob("*")
        if path.is_file() and path.name != "study.json"
    }
    assert before == after


def test_a_report_older_than_the_last_stage_is_built_anew(smoke, tmp_path):
    """A kill after the last stage and before the page leaves the page of an earlier command.

    That page shows fewer stages.
    """
    folder = shutil.copytree(smoke, tmp_path / "study")
    assert is_finished(folder)
    summary = json.loads((folder / "summary.json").read_text())
    for broken in (
        summary | {"built_from": "of fewer stages"},
        {name: value for name, value in summary.items() if name != "built_from"},
    ):
        (folder / "summary.json").write_text(json.dumps(broken))
        (folder / "report.html").write_text("old")
        assert not is_finished(folder)
        assert finish_study(folder)["built_from"] == summary["built_from"]
        assert (folder / "report.html").read_text() != "old"
    (folder / "summary.json").write_text("{torn")
    assert not is_finished(folder)
    (folder / "report.html").unlink()
    finish_study(folder)
    assert is_finished(folder)


@pytest.mark.medium
def test_a_checkpoint_is_scored_on_real_questions(smoke, shared_data, tmp_path):
    folder, rows, left_out, shortcuts, scores, context = evaluate_checkpoint(
        smoke,
        str(shared_data / "gsm8k" / "test.jsonl"),
        tmp_path,
        {"samples": 2, "max_new_tokens": 8},
        limit=6,
        seed=0,
    )
    assert shortcuts.startswith("shortcut baselines, test: fixed expression")
    assert json.loads((folder / "surface.json").read_text())["train_questions"] == 2000
    assert rows[0]["num_problems"] + left_out == 6
    frame = pl.read_parquet(folder / "records.parquet")
    assert len(frame) == rows[0]["num_problems"] * 3
    assert set(frame["problem_set"]) == {rows[0]["problem_set"]}
    assert frame["reference"].str.contains(r"^-?\d+$").all()
    again = evaluate_checkpoint(
        smoke,
        str(shared_data / "gsm8k" / "test.jsonl"),
        tmp_path,
        {"samples": 2, "max_new_tokens": 8},
        limit=6,
        seed=0,
    )
    assert scores, "the study's world has training questions"
    assert again == (folder, rows, left_out, shortcuts, scores, context)  # done already: read, not built


def test_the_report_has_the_figures_inside(smoke):
    page = (smoke / "report.html").read_text()
    assert 'src="http' not in page
    assert "only shows that every stage runs" in page


def test_the_split_of_the_gain_uses_what_was_forced(smoke, monkeypatch):
    given = []
    monkeypatch.setattr(
        findings,
        "selection_or_skill",
        lambda *arguments: given.append(arguments) or selection_or_skill(*arguments),
    )
    collect(smoke)
    ((_, last, _, forced),) = given
    assert set(forced.columns) == {"step", "problem_id", "format", "num", "right"}
    assert set(forced["format"]) <= {"tinygsm"}
    assert len(forced.filter(pl.col("step").is_in([0, last]))) == len(forced)


def test_probes_of_base_and_rl_feed_the_report(smoke):
    folders = sorted((smoke / "artifacts").glob("probe-*"))
    assert len(folders) == 2
    steps = {json.loads((folder / "summary.json").read_text())[0]["step"]: folder for folder in folders}
    assert set(steps) == {0, 3}
    assert not (steps[0] / "likelihood.parquet").exists()
    likely = pl.read_parquet(steps[3] / "likelihood.parquet")
    assert dict(likely.group_by("writer").len().rows()) == {"checkpoint": 4, "reference": 4}
    page = (smoke / "report.html").read_text()
    assert "base, tinygsm forced" in page
    assert "How likely are the completions under the base and after RL?" in page
    found = collect(smoke).frames["findings"]
    probed = dict(found.filter(pl.col("analysis") == "probes").select("item", "value").rows())
    for label, folder in (("base", steps[0]), ("after RL", steps[3])):
        assert probed[f"{label}, tinygsm forced"] == pytest.approx(
            pl.read_parquet(folder / "forced.parquet")["correct"].mean()
        )
    sampled = pl.read_parquet(steps[0] / "sweep.parquet").filter(pl.col("sample") >= 0)
    assert probed["base, temperature 1"] == pytest.approx(sampled["correct"].mean())
    likelihoods = dict(found.filter(pl.col("analysis") == "likelihood").select("item", "value").rows())
    mine = (
        likely.filter(pl.col("writer") == "checkpoint")
        .group_by("problem_id")
        .agg(pl.col("logprob_reference").mean())
    )
    assert likelihoods["written after RL: log-probability under the base"] == pytest.approx(
        mine["logprob_reference"].mean()
    )
