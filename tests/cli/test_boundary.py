"""The command's edge: bugs, devices, links, odd bytes and odd files are one line and a known exit status."""

import gzip
import json
import os
import stat

import pytest

from echochamber.core.errors import UserError
from echochamber.core.files import write_text
from echochamber.core.version import __version__

ROW = {"id": 1, "completion": "So 36 + 37 = 73.\n#### 73", "reference": "She has 36 + 37.\n#### 73"}


@pytest.fixture
def source(tmp_path):
    """Completions to grade."""
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


def test_an_unforeseen_exception_is_a_line_a_file_and_status_70(run, monkeypatch, tmp_path):
    def broken(*_):
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("echochamber.study.recipe.load_recipe", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, out, err = run("show", "smoke")
    assert (status, out) == (70, "")
    assert err.count("\n") == 1
    assert "ZeroDivisionError (by design); this is a bug" in err
    (saved,) = tmp_path.glob("traceback-*.txt")
    assert str(saved) in err
    assert "Traceback (most recent call last)" in saved.read_text()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_a_panic_of_a_library_is_a_bug_like_any_other(run, monkeypatch, tmp_path):
    class PanicException(BaseException):
        """As libraries in Rust raise it: no `Exception`."""

    def broken(*_):
        raise PanicException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr("echochamber.study.recipe.load_recipe", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, _, err = run("show", "smoke")
    assert status == 70
    assert "on a `None` value); this is a bug" in err


def test_a_full_disk_under_any_command_is_bad_luck_and_no_bug(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "/somewhere/file")

    monkeypatch.setattr("echochamber.study.recipe.load_recipe", full)
    status, _, err = run("show", "smoke")
    assert status == 2
    assert "/somewhere/file: cannot be written (No space left on device" in err


def test_verdicts_of_gsm8k_solutions_are_for_their_last_line(run, source, tmp_path):
    status, _, err = run("grade", "--in", source, "--out", tmp_path / "out.jsonl")
    assert status == 0, err
    assert json.loads((tmp_path / "out.jsonl").read_text())["outcome"] == "correct"


def test_input_and_output_may_not_be_one_file(run, source, tmp_path):
    before = source.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    for target in (source, link):
        status, _, err = run("grade", "--in", source, "--out", target)
        assert status == 2
        assert "is the input file too" in err
    assert source.read_bytes() == before
    assert link.is_symlink()


def test_a_link_stays_and_its_target_is_replaced(run, source, tmp_path):
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    assert run("grade", "--in", source, "--out", link)[0] == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["correct"] is True


def test_a_folder_as_output_is_one_line(run, source, tmp_path):
    status, _, err = run("grade", "--in", source, "--out", tmp_path)
    assert status == 2
    assert "is a folder" in err


def test_a_device_or_pipe_is_written_to_and_stays_what_it_is(run, source, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("grade", "--in", source, "--out", pipe)[0] == 0
        assert json.loads(os.read(reader, 1 << 16))["correct"] is True
        write_text(pipe, "whole")
        assert os.read(reader, 100) == b"whole"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_text(tmp_path / "plain", "x")
    with pytest.raises(UserError, match="is a folder"):
        write_text(tmp_path, "x")


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1, "completion": "\\ud800", "reference": "3"}',
        '{"id": 1, "completion": "x", "reference": "\\udfff"}',
        '{"id": [[]], "completion": "x", "reference": "3"}',
        '{"id": 1, "completion": "x", "reference": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"id": 1, "completion": null, "reference": "3"}',
        "\udcff",
    ],
)
def test_a_bad_line_is_counted_and_the_next_is_graded(run, tmp_path, line):
    path = tmp_path / "in.jsonl"
    path.write_bytes(f"{line}\n{json.dumps(ROW)}\n".encode(errors="surrogateescape"))
    status, out, err = run("grade", "--in", path, "--out", tmp_path / "out.jsonl")
    assert status == 0, err
    assert "1 completions graded, 1 correct; 1 bad lines skipped" in out


@pytest.mark.parametrize("at", [12, 40, -5])
def test_a_damaged_gzip_is_one_line(run, tmp_path, at):
    content = bytearray(gzip.compress((json.dumps(ROW) + "\n").encode() * 50))
    content[at] ^= 0xFF
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(content)
    status, _, err = run("grade", "--in", path, "--out", tmp_path / "out.jsonl")
    assert status in (0, 2)
    assert "Traceback" not in err
    assert "bug" not in err
    assert (tmp_path / "out.jsonl").exists() == (status == 0)


@pytest.mark.parametrize(
    "value",
    ["2024-13-45", "0x_", "!!int x", "!!float y", "[" * 1500, "!!python/object:os.system x", "{a: &b [*b]}",
     "!!timestamp no", "!!binary \udcff", "1" * 5000, "? [a]", "0b_", "1:99_:x", "0o_", "!!set [1]"],
)  # fmt: skip
def test_yaml_that_python_has_no_value_for_is_one_line(run, tmp_path, value):
    status, _, err = run("show", "smoke", f"seeds={value}")
    assert status == 2, err
    assert "bug" not in err
    path = tmp_path / "own.yaml"
    path.write_bytes(f"name: own\nseeds: {value}\n".encode(errors="surrogateescape"))
    status, _, err = run("show", path)
    assert status == 2, err
    assert err.count("\n") == 1


def test_a_lone_byte_as_an_argument_is_one_line(run, tmp_path):
    for arguments in (["show", "\udcff"], ["report", tmp_path / "\udcff"], ["show", "smoke", "seeds=\udcff"]):
        status, _, err = run(*arguments)
        assert status == 2, err
        assert "bug" not in err


def test_version_and_short_help(run):
    assert run("--version")[:2] == (0, f"echochamber {__version__}\n")
    for arguments in (("-h",), ("study", "-h")):
        status, out, _ = run(*arguments)
        assert status == 0
        assert "Usage:" in out
