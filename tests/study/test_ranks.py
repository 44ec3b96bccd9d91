"""A whole study under several ranks: rank 0 prepares and evaluates, all of them train."""

import json

import pytest

from tests.rl.rank_runs import start_ranks


@pytest.mark.slow
def test_a_study_runs_over_two_ranks(tmp_path):
    changes = [
        "pretrain.tokens=8192",
        "rl.grpo.steps=1",
        "rl.grpo.max_new_tokens=16",
        "evaluate.max_new_tokens=16",
        "probe=null",
        "runtime.dtype=float32",
    ]
    start_ranks(2, "-m", "echochamber", "study", "smoke", *changes, "--out", str(tmp_path))
    study = json.loads((tmp_path / "study.json").read_text())
    assert {node["status"] for node in study["nodes"]} == {"done"}
    assert json.loads((tmp_path / "summary.json").read_text())["final"]["accuracy"] is not None
    assert (tmp_path / "report.html").is_file()
    # A second run finds everything done, and the rank that follows is let go.
    start_ranks(2, "-m", "echochamber", "study", "smoke", *changes, "--out", str(tmp_path))
