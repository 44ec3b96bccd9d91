"""The comparison of two studies: what counts as a difference, and what does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "same_bytes.py"


def make_study(folder: Path, fingerprint: str = "aa", seconds: float = 1.0) -> Path:
    artifact = folder / "artifacts" / f"rl-{fingerprint}"
    artifact.mkdir(parents=True)
    (artifact / "manifest.json").write_text(json.dumps({"code_version": str(seconds)}))
    (artifact / "sittings.json").write_text(json.dumps([[0, seconds]]))
    (artifact / "timing.jsonl").write_text(f"{seconds}\n")
    (artifact / "records.parquet").write_bytes(b"PAR1 rows")
    (artifact / "metrics.jsonl").write_text('{"step": 1}\n')
    (artifact / "surface.json").write_text("{}")
    nodes = [{"id": "rl/grpo/seed0", "folder": f"artifacts/rl-{fingerprint}", "seconds": seconds}]
    (folder / "study.json").write_text(json.dumps({"nodes": nodes}))
    summary = {"base": {"accuracy": 0.5}, "total_seconds": seconds, "stages": {"rl": seconds}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def compare(old: Path, new: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, SCRIPT, old, new], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_times_and_manifests_are_no_difference(tmp_path):
    status, text = compare(make_study(tmp_path / "old"), make_study(tmp_path / "new", seconds=2.0))
    assert status == 0
    assert "1 artifacts, 4 files" in text  # records, metrics, shortcut baselines and the summary
    assert "differences: 0" in text


@pytest.mark.parametrize("name", ["records.parquet", "metrics.jsonl", "surface.json"])
def test_a_changed_payload_byte_is_named(tmp_path, name):
    old, new = make_study(tmp_path / "old"), make_study(tmp_path / "new")
    with (new / "artifacts/rl-aa" / name).open("ab") as stream:
        stream.write(b" ")
    status, text = compare(old, new)
    assert status == 1
    assert f"rl-aa/{name}: bytes differ" in text


def test_another_fingerprint_is_matched_by_stage(tmp_path):
    status, text = compare(make_study(tmp_path / "old"), make_study(tmp_path / "new", fingerprint="bb"))
    assert status == 0
    assert "rl/grpo/seed0: rl-aa -> rl-bb" in text


def test_a_missing_file_and_a_missing_artifact_are_differences(tmp_path):
    old, new = make_study(tmp_path / "old"), make_study(tmp_path / "new")
    (new / "artifacts/rl-aa/records.parquet").unlink()
    assert compare(old, new)[0] == 1
    (new / "study.json").write_text(json.dumps({"nodes": []}))
    (new / "artifacts/rl-aa").rename(new / "elsewhere")
    status, text = compare(old, new)
    assert status == 1
    assert "only in the old study" in text


def test_shortcut_baselines_may_move(tmp_path):
    old, new = make_study(tmp_path / "old"), make_study(tmp_path / "new")
    (new / "artifacts/rl-aa/surface.json").unlink()
    status, text = compare(old, new)
    assert status == 0
    assert "documented exception): 1" in text


def test_a_changed_number_of_the_summary_is_a_difference(tmp_path):
    old, new = make_study(tmp_path / "old"), make_study(tmp_path / "new")
    (new / "summary.json").write_text(json.dumps({"base": {"accuracy": 0.6}}))
    status, text = compare(old, new)
    assert status == 1
    assert "summary.json: base differs" in text


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    status, text = compare(make_study(tmp_path / "old"), tmp_path)
    assert status == 2
    assert "not a study folder" in text
