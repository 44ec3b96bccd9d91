"""What commands print: JSON and nothing else, quiet, and how to go on after a stop or a failure."""

import json
from pathlib import Path

import pytest

from echochamber.cli.option_groups import with_groups
from echochamber.core import progress
from echochamber.core.errors import UserError
from echochamber.study import evaluate_checkpoint, probe_checkpoint
from echochamber.study.checkpoint_context import CheckpointContext
from echochamber.study.execute import open_study
from echochamber.study.recipe import load_recipe

from ..study.tiny import OVERRIDES

RESULTS = Path(__file__).resolve().parents[2] / "results" / "paper-nano"


def test_grade_prints_counts_as_json(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": 1, "completion": "\\\\boxed{9}", "reference": "9"}\nno row\n')
    status, out, err = run("grade", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl", "--json")
    data = json.loads(out)
    assert status == 0
    assert set(data) == {"graded", "bad_lines", "outcomes", "formats", "verdicts"}
    assert (data["graded"], data["bad_lines"], data["outcomes"]) == (1, 1, {"correct": 1})
    assert "line 2" in err


@pytest.mark.medium
def test_ledger_prints_sentences_and_as_json_all_of_each_claim(run):
    status, out, _ = run("ledger", RESULTS, "--json")
    data = json.loads(out)
    assert status == 0
    assert set(data) == {"study", "set", "criteria", "verdicts", "claims", "files"}
    assert [claim["number"] for claim in data["claims"]] == list(range(1, 23))
    assert sum(data["verdicts"].values()) == 22
    first = data["claims"][0]
    assert first["statement"] in run("ledger", RESULTS)[1]
    assert {"criterion", "mean", "low", "high", "seeds", "criterion_verdict"} <= set(first["criteria"][0])


def test_a_study_without_claims_says_so_in_one_line(run, tmp_path):
    open_study(load_recipe("smoke"), tmp_path)[1].write()
    status, out, _ = run("ledger", tmp_path)
    assert (status, len(out.splitlines())) == (0, 1)
    assert "names no claims" in out
    assert json.loads(run("ledger", tmp_path, "--json")[1])["claims"] == []
    judged = run("ledger", tmp_path, "--claims", "echo_chamber")[1]
    assert judged.count("not testable here") == 22


def test_doctor_prints_its_findings_as_json(run, monkeypatch):
    monkeypatch.setattr("echochamber.study.doctor.findings", lambda: [("cores", "ok", "2 visible")])
    assert json.loads(run("doctor", "--json")[1]) == {
        "findings": [{"name": "cores", "state": "ok", "detail": "2 visible"}]
    }


def test_evaluate_hands_its_groups_over_and_prints_json(run, monkeypatch, tmp_path):
    seen = {}

    def fake(checkpoint, problems, out, settings, limit, seed, policy, world, runtime, columns):
        seen.update(settings, limit=limit, policy=policy, engine=runtime.engine, columns=columns)
        rows = [{"problem_set": "easy", "accuracy": float("nan")}]
        used = CheckpointContext()
        return evaluate_checkpoint.CheckpointEvaluation(tmp_path, rows, 2, "a line", {"guess": 0.1}, used)

    monkeypatch.setattr(evaluate_checkpoint, "evaluate_checkpoint", fake)
    options = [
        "--top-p",
        "0.9",
        "--stop",
        r"a\n",
        "--system",
        "Be brief.",
        "--limit",
        "7",
        "--engine",
        "native",
    ]
    status, out, _ = run("evaluate", "--checkpoint", "c", "--problems", "easy", *options, "--json")
    data = json.loads(out)
    assert status == 0
    assert (seen["top_p"], seen["stop"], seen["limit"], seen["engine"]) == (0.9, ["a\n"], 7, "native")
    assert seen["prompt"] == {"template": "chat", "system": "Be brief."}
    assert set(data) == {"folder", "records", "scores", "left_out", "shortcut_baselines"}
    assert data["scores"] == [{"problem_set": "easy", "accuracy": None}]


def test_probe_prints_its_rows_as_json(run, monkeypatch, tmp_path):
    rows = [{"kind": "sweep", "accuracy": 0.5}]
    monkeypatch.setattr(probe_checkpoint, "probe_checkpoint", lambda *_: (tmp_path, rows))
    out = run("probe", "--checkpoint", "c", "--problems", "easy", "--json")[1]
    assert json.loads(out) == {"folder": str(tmp_path), "rows": rows}


def test_a_parameter_that_is_no_group_stays(capsys):
    def command(name: str, *, times: int = 2) -> None:
        print(name * times)

    with_groups(command)(name="ab", times=3)
    assert capsys.readouterr().out == "ababab\n"


def test_ctrl_c_says_which_command_goes_on(run, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("echochamber.study.recipe.load_recipe", stop)
    status, _, err = run("study", "quick start.yaml", "seeds=[0, 1]", "--workers", "2")
    assert (status, err) == (
        130,
        "echochamber: stopped; go on with: echochamber study 'quick start.yaml' 'seeds=[0, 1]' --workers 2\n",
    )
    assert run("show", "smoke")[2] == "echochamber: stopped\n"


def test_quiet_leaves_progress_and_notes_out(run, monkeypatch, tmp_path):
    monkeypatch.setattr(progress.console(), "quiet", False)
    (tmp_path / "in.jsonl").write_text('no row\n{"id": 1, "completion": "no answer", "reference": "4"}\n')
    arguments = ("grade", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert "line 1" in run(*arguments)[2]
    status, out, err = run(*arguments, "--quiet")
    assert (status, err) == (0, "")
    assert "1 bad lines skipped" in out


@pytest.mark.medium
def test_a_failed_study_says_what_failed_and_how_to_go_on(run, tmp_path):
    given = ["smoke", *OVERRIDES, "pretrain.batch_tokens=1M", "pretrain.sequence_length=32"]
    status, out, _ = run("study", *given, "--out", tmp_path / "s")
    assert status == 2
    assert out.startswith("1 stage failed. ")
    assert "stages are done and stay; 6 were not started, because they rest on what failed." in out
    assert "  pretrain/tg_omi2/nano-0.2m/seed0: " in out
    assert "Mend the cause, then go on with: echochamber study smoke " in out
    assert "not measured" not in out
    assert "null" not in out


def test_errors_stay_where_output_is_quiet(run, monkeypatch):
    monkeypatch.setattr(progress.console(), "quiet", False)

    def fail(*_):
        raise UserError("no such thing")

    monkeypatch.setattr("echochamber.study.recipe.load_recipe", fail)
    assert run("study", "smoke", "--quiet")[2] == "echochamber: no such thing\n"
