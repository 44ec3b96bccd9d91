"""`status`: a study as it stands, read from its folder alone."""

import json

import pytest
from filelock import FileLock

from echochamber.study.execute import open_study
from echochamber.study.recipe import load_recipe
from echochamber.study.status import StageStatus
from echochamber.study.study_state import study_state


@pytest.fixture
def study(tmp_path):
    """(folder, graph, status) of a study of which nothing has run."""
    graph, status = open_study(load_recipe("smoke"), tmp_path / "s", "echochamber study smoke")
    status.write()
    return tmp_path / "s", graph, status


def finish(graph, status, name, seconds):
    """Publish an empty artifact of a stage, as if it had taken so long."""
    folder = graph.store.build(graph.nodes[name].spec, lambda folder: None)
    (folder / "sittings.json").write_text(json.dumps([[0, seconds]]))
    status.set(name, StageStatus("done", seconds))


def start(folder, graph, status, name, progress):
    """Let a stage be running with this progress; returns the lock that its process would hold."""
    status.set(name, StageStatus("running"))
    status.write()
    partial = folder / "artifacts" / ".partial"
    (partial / f"{graph.nodes[name].spec.name}.progress").write_text(progress)
    return FileLock(partial / f"{graph.nodes[name].spec.name}.lock")


REPORT = {"label": "pretrain", "done": 30, "total": 40, "rate": 2.0, "note": "loss 2.1"}


def test_a_new_study_is_pending_and_names_its_command(run, study):
    status, out, err = run("status", study[0])
    assert (status, err) == (0, "")
    assert "pending; of 11 stages 0 done, 11 pending" in out
    assert f"Go on with: echochamber study smoke --out {study[0]}" in out
    assert "not known before a stage of each kind has finished" in out


def test_a_running_stage_shows_its_progress_and_the_time_left(run, study):
    folder, graph, status = study
    finish(graph, status, "tokenizer", 4.0)
    (name,) = (node.id for node in graph.nodes.values() if node.kind == "pretrain")
    with start(folder, graph, status, name, json.dumps(REPORT)):
        found = study_state(folder)
        _, out, _ = run("status", folder)
    (running,) = found.running
    assert (found.state, running.held, running.done, running.total) == ("running", True, 30.0, 40.0)
    assert running.seconds_left == pytest.approx(5.0)
    assert found.seconds_left == pytest.approx(5.0)
    assert "pretrain" not in found.not_estimated
    assert {"rl", "evaluate", "probe"} <= set(found.not_estimated)
    assert f"running  {name}  30/40, 0:00:05 left  loss 2.1" in out
    assert "Go on with" not in out


def test_a_stage_whose_process_is_gone_is_cut(run, study):
    folder, graph, status = study
    (name,) = (node.id for node in graph.nodes.values() if node.kind == "rl")
    with start(folder, graph, status, name, "no JSON"):
        pass
    found = study_state(folder)
    assert (found.state, found.running[0].held, found.running[0].done) == ("cut", False, None)
    assert "Go on with: echochamber study smoke" in run("status", folder)[1]


def test_pending_stages_cost_what_finished_ones_of_their_kind_took(study):
    folder, graph, status = study
    problems = [node.id for node in graph.nodes.values() if node.kind == "problems"]
    finish(graph, status, problems[0], 3.0)
    status.write()
    found = study_state(folder)
    assert found.seconds_left == pytest.approx(3.0 * (len(problems) - 1))
    assert "problems" not in found.not_estimated


def test_a_failure_is_shown_with_its_reason(run, study):
    folder, _, status = study
    status.set("tokenizer", StageStatus("failed", None, "no such\ncorpus", bad_input=True))
    status.close()
    found = study_state(folder)
    assert found.state == "failed"
    assert "failed   tokenizer: no such corpus" in run("status", folder)[1]


def test_json_is_all_of_it_with_stable_keys(run, study):
    status, out, _ = run("status", study[0], "--json")
    data = json.loads(out)
    assert status == 0
    assert set(data) == {
        "name", "folder", "state", "stages", "running", "failed", "seconds_done", "seconds_left",
        "not_estimated", "command", "report",
    }  # fmt: skip
    assert data["stages"] == {"done": 0, "running": 0, "failed": 0, "pending": 11}
    assert data["seconds_left"] is None


def test_reading_changes_nothing(run, study):
    folder, graph, status = study
    start(folder, graph, status, "tokenizer", json.dumps(REPORT | {"done": float("nan"), "rate": 0}))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert run("status", folder)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_damage_is_survived_and_a_missing_study_named(run, study, tmp_path):
    folder, graph, status = study
    finish(graph, status, "tokenizer", 1.0)
    status.write()
    (folder / "artifacts" / graph.nodes["tokenizer"].spec.name / "manifest.json").write_text("{")
    (folder / "stages.jsonl").write_bytes(b"\xff\x00{")
    assert run("status", folder)[0] == 0
    status, out, err = run("status", tmp_path / "none")
    assert (status, out) == (2, "")
    assert "study.json: cannot be read" in err
