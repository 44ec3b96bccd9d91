"""Storage that refuses, and limits of the process: one line, exit status 2, and what can be read is read."""

import ctypes
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from echochamber.analysis.study_folder import load_study
from echochamber.cli.app import LEAST_FILES
from tests.study.tiny import OVERRIDES, payload, run_tiny

ROW = {"id": 1, "completion": "#### 73", "reference": "#### 73"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Completions to grade."""
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EIO, "look at the device"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.ENOSPC, "are free there"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "choose another folder with --out"),
    ],
)
def test_what_storage_says_is_one_line(run, monkeypatch, source, tmp_path, number, told):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("echochamber.verify.grade_file._grade_batch", refuse)
    target = tmp_path / "verdicts.jsonl"
    status, _, err = run("grade", "--in", source, "--out", target)
    assert status == 2
    assert err.count("\n") == 1
    assert f"{target}: " in err
    assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_file_system_without_locks_is_one_line(run, monkeypatch, tmp_path):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    status, _, err = run("prepare", "smoke", *OVERRIDES, "--out", tmp_path / "study")
    (line,) = [line for line in err.splitlines() if "cannot be locked" in line][:1]
    assert status == 2
    assert "No locks available" in line
    assert "--out" in line
    assert "bug" not in err


def test_a_device_as_problems_and_a_byte_as_text_are_one_line(run, tmp_path):
    from tests.fuzz.conftest import make_checkpoint

    folder = make_checkpoint(tmp_path / "model")
    for arguments, told in (
        (["evaluate", "--checkpoint", folder, "--problems", "/dev/null"], "neither a file nor a folder"),
        (["sample", folder, "\udcff"], "not UTF-8"),
        (["sample", folder, "2?", "--reference", "\udcff"], "not UTF-8"),
        (["sample", folder, "2?", "--stop", "\udcff"], "surrogate"),
        (["evaluate", "--checkpoint", folder, "--problems", "all", "--prompt-suffix", "\udcff"], "surrogate"),
    ):
        out = ["--out", tmp_path / "out"] if arguments[0] == "evaluate" else []
        status, _, err = run(*arguments, *out)
        assert status == 2, err
        assert told in err.splitlines()[-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study."""
    folder = tmp_path_factory.mktemp("tiny") / "study"
    assert not run_tiny(folder).failed
    return folder


@pytest.fixture
def read_only(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it without a right to write."""
    folder = Path(shutil.copytree(whole, tmp_path / "study"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def _as_an_ordinary_user() -> None:
    """Root loses the rights to pass over modes, for good: from the set that an exec may give back, too."""
    for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def _command(*arguments: object, before: Callable[[], None]) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "echochamber", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=before, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr
    assert "this is a bug" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_finished_study_that_cannot_be_written_is_read(read_only, source, tmp_path):
    def ask(*arguments: object) -> tuple[int, str, str]:
        return _command(*arguments, before=_as_an_ordinary_user)

    before = payload(read_only)
    status, out, err = ask("study", "smoke", *OVERRIDES, "--out", read_only)
    assert (status, out.startswith("Nothing to do: all 11 stages")) == (0, True), err
    assert ask("report", read_only, "--out", tmp_path / "page.html")[0] == 0
    assert (tmp_path / "page.html").stat().st_size > 50_000
    assert ask("sample", read_only, "2 + 2?", "-n", 1, "--max-new-tokens", 2)[0] == 0
    for refused in (
        ["report", read_only],
        ["study", "smoke", *OVERRIDES, "rl.grpo.steps=3", "--out", read_only],
        ["study", "smoke", *OVERRIDES, "--out", read_only / "new"],
        ["grade", "--in", source, "--out", read_only / "verdicts.jsonl"],
    ):
        status, _, err = ask(*refused)
        assert status == 2, err
        assert "cannot be written (Permission denied)" in err.splitlines()[-1]
    assert payload(read_only) == before


@pytest.mark.slow
@pytest.mark.parametrize("files", [8, 12, 16, 24])
def test_few_open_files_are_enough_or_one_line(whole, source, tmp_path, files):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    study = shutil.copytree(whole, tmp_path / "study")
    for folder in (study / "artifacts").glob("evaluate-*"):
        shutil.rmtree(folder)
    for arguments in (
        ["study", "smoke", *OVERRIDES, "--out", study],
        ["grade", "--in", source, "--out", tmp_path / "verdicts.jsonl"],
        ["report", whole, "--out", tmp_path / "page.html"],
    ):
        status, _, err = _command(*arguments, before=limit)
        assert status in (0, 2), err
        assert status == 0 or "open files" in err.splitlines()[-1], err
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".tmp"]


@pytest.mark.parametrize("files", [5, LEAST_FILES - 1])
def test_too_few_open_files_are_said_before_anything_starts(source, tmp_path, files):
    """Libraries in Rust would end with a panic of their own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    status, out, err = _command("grade", "--in", source, "--out", tmp_path / "verdicts.jsonl", before=limit)
    line = (
        f"echochamber: {files} files may be open at once, at least {LEAST_FILES} are needed; raise ulimit -n"
    )
    assert (status, out, err.splitlines()) == (2, "", [line])
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3_000, 100_000, 500_000])
def test_a_limit_on_file_sizes_stops_a_study_in_one_line_and_it_continues(whole, tmp_path, size):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    folder = tmp_path / "study"
    status, _, err = _command("study", "smoke", *OVERRIDES, "--out", folder, before=limit)
    (line,) = [line for line in err.splitlines() if line.startswith("echochamber: ")]
    assert status == 2
    assert "File too large" in line
    assert "ulimit -f" in line
    if (folder / "study.json").is_file() and size > 1:
        assert "running" not in {node.status for node in load_study(folder).nodes}
    assert not run_tiny(folder).failed
    assert payload(folder) == payload(whole)
