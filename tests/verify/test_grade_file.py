"""The streaming grader for files: order, bad lines, strictness, nothing half-written."""

import gzip
import json

import pytest

from echochamber.core.errors import UserError
from echochamber.verify.grade_file import grade_lines

ROWS = [
    {"id": "a", "completion": "def f():\n    return 18", "reference": "18"},
    {"id": 2, "completion": "\\boxed{17}", "reference": 18},
    {"id": "c", "completion": "nothing", "reference": "18"},
]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_rows_come_out_in_order_with_the_contract_columns(tmp_path):
    source = write(tmp_path / "in.jsonl", [json.dumps(row) for row in ROWS] * 20)
    seen = []
    counts = grade_lines(
        source, tmp_path / "deep" / "out.jsonl", workers=1, batch_rows=7, on_progress=seen.append
    )
    rows = [json.loads(line) for line in (tmp_path / "deep" / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", 2, "c"] * 20
    assert rows[0] == {
        "id": "a",
        "format": "tinygsm",
        "answer": "18",
        "outcome": "correct",
        "correct": True,
        "detail": "",
    }
    assert {(row["id"], row["outcome"]) for row in rows} == {
        ("a", "correct"),
        (2, "wrong"),
        ("c", "no_answer"),
    }
    assert (counts.rows, counts.outcomes["wrong"], counts.formats["omi2"], sum(seen)) == (60, 20, 20, 60)


BAD = [
    "{",
    "[]",
    '{"id": 1}',
    '{"id": 1, "completion": 5, "reference": "1"}',
    '{"id": 1, "completion": "", "reference": null}',
    "[" * 100_000,
]


def test_bad_lines_are_reported_with_their_number_and_skipped(tmp_path):
    source = write(tmp_path / "in.jsonl", [json.dumps(ROWS[0]), "", *BAD, json.dumps(ROWS[1])])
    reported = []
    counts = grade_lines(source, tmp_path / "out.jsonl", workers=1, on_bad_line=reported.append)
    assert (counts.rows, counts.bad_lines) == (2, len(BAD))
    assert [int(message.split("line ")[1].split(":")[0]) for message in reported] == list(
        range(3, 3 + len(BAD))
    )
    assert counts.errors == reported
    assert "column 'completion' is missing" in reported[2]


def test_strict_ends_at_the_first_bad_line_and_leaves_nothing(tmp_path):
    source = write(tmp_path / "in.jsonl", [json.dumps(ROWS[0]), "{"])
    with pytest.raises(UserError, match=r"in\.jsonl, line 2: is not JSON"):
        grade_lines(source, tmp_path / "out.jsonl", strict=True, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_gzip_and_missing_files(tmp_path):
    with gzip.open(tmp_path / "in.jsonl.gz", "wt") as stream:
        stream.write(json.dumps(ROWS[0]))
    assert grade_lines(tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl", workers=1).rows == 1
    with pytest.raises(UserError, match="cannot be read"):
        grade_lines(tmp_path / "absent.jsonl", tmp_path / "out2.jsonl", workers=1)
    assert not (tmp_path / "out2.jsonl").exists()


def test_bytes_that_are_no_text_spoil_their_line_only(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'\xff\xfe{"id"\n' + json.dumps(ROWS[0]).encode() + b"\n")
    counts = grade_lines(tmp_path / "in.jsonl", tmp_path / "out.jsonl", workers=1)
    assert (counts.rows, counts.bad_lines) == (1, 1)


def test_a_file_whose_lines_are_all_bad_is_refused_and_leaves_no_verdicts(tmp_path):
    source, target = write(tmp_path / "in.jsonl", BAD), tmp_path / "out.jsonl"
    with pytest.raises(
        UserError, match=rf"none of its {len(BAD)} lines could be graded; the first: .*line 1"
    ):
        grade_lines(source, target, workers=1)
    assert list(tmp_path.iterdir()) == [source]
    assert grade_lines(write(source, []), target, workers=1).rows == 0
    assert target.read_text() == ""


def test_without_the_sandbox_s_program_one_line_says_so_and_texts_are_graded_all_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("MONTY_BIN", str(tmp_path / "absent"))
    text = write(tmp_path / "text.jsonl", [json.dumps(ROWS[1])])
    assert grade_lines(text, tmp_path / "out.jsonl", workers=1).rows == 1
    program = write(tmp_path / "program.jsonl", [json.dumps(ROWS[0])])
    with pytest.raises(UserError, match=r"the sandbox for programs does not start .*absent.*MONTY_BIN"):
        grade_lines(program, tmp_path / "out.jsonl", workers=1)
