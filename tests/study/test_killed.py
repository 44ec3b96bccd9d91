"""A study killed without warning, anywhere, ends as one that was not."""

import hashlib
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

VARYING = {"timing.jsonl", "sittings.json", "report.html", "study.json", "summary.json"}


def _payload(folder):
    """Hash of every file that must not depend on when or how often the study was cut."""
    files = [
        p
        for p in (folder / "artifacts").rglob("*")
        if p.is_file() and ".partial" not in p.parts and p.name not in VARYING
    ]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _start(folder, workers=1):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "echochamber",
            "study",
            "smoke",
            "rl.grpo.reward=random",
            "--out",
            str(folder),
            "--workers",
            str(workers),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_again_and_again_it_ends_in_the_same_bytes(tmp_path, workers):
    started = time.monotonic()
    assert _start(tmp_path / "whole").wait(timeout=900) == 0
    length = time.monotonic() - started
    stream, kills = np.random.default_rng(0), 0
    while kills < 6:
        process = _start(tmp_path / "cut", workers)
        try:
            process.wait(timeout=length * (0.3 + 0.5 * stream.random()))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert _start(tmp_path / "cut", workers).wait(timeout=900) == 0
    assert kills > 0
    assert _payload(tmp_path / "cut") == _payload(tmp_path / "whole")
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("whole", "cut")]
    assert summaries[0]["final"] == summaries[1]["final"]
