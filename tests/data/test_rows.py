"""Files of rows: every kind read, every bad row named by file, line and column, or skipped and counted."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from echochamber.core.errors import UserError
from echochamber.data.rows import BadRows, data_files, read_rows, text_of

ROWS = [{"question": "How many?", "answer": "3"}, {"question": "Wie viele — 5?", "answer": "5"}]


def write(path: Path) -> Path:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".jsonl":
        path.write_text("\ufeff" + lines + "\n", encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    elif path.suffix == ".csv":
        pl.DataFrame(ROWS).write_csv(path)
    else:
        pl.DataFrame(ROWS).write_parquet(path)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    found = list(read_rows(path, BadRows()))
    assert [row for _, row in found] == ROWS
    assert all(str(path) in place and place[-1].isdigit() for place, _ in found)


def test_a_folder_is_read_file_by_file_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl")
    write(tmp_path / "a.csv")
    (tmp_path / "notes.txt").write_text("no data", encoding="utf-8")
    assert [path.name for path in data_files(tmp_path)] == ["a.csv", "b.jsonl"]
    assert len(list(read_rows(tmp_path, BadRows()))) == 4


BAD: list[tuple[str, bytes, list[str]]] = [
    ("a.jsonl", b'{"q": 1}\n{"q": \n', ["line 2", "not JSON", "at column 6"]),
    ("a.jsonl", b'{"q": 1}\n{"q": ' + b"1" * 5000 + b"}\n", ["line 2", "not JSON", "4300"]),
    ("a.jsonl", b'{"q": 1}\n[1, 2]\n', ["line 2", "list"]),
    ("a.jsonl", b'{"q": 1}\n\n{"q": "\xff"}\n', ["line 3, byte 8", "UTF-8"]),
    ("a.json", b'[{"q": 1}, 7]', ["row 2", "int"]),
    ("a.csv", b"q,a\n1,2\n3\n", ["line 3", "columns", "2"]),
    ("a.csv", b"q,a\n1,2\n3,4,5\n", ["line 3", "columns", "2"]),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD)
def test_bad_rows_are_named(tmp_path: Path, name: str, content: bytes, words: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        list(read_rows(path, BadRows()))
    assert all(word in str(caught.value) for word in [str(path), *words])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "content", "words"), BAD)
def test_bad_rows_are_skipped_and_counted_on_request(
    tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    bad = BadRows("skip")
    assert len(list(read_rows(path, bad))) == 1
    assert bad.skipped == 1
    assert words[0] in bad.reasons[0]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.json", b"{}", "expected an array"),
        ("a.json", b"[1,", "not JSON"),
        ("a.json", b"\xff\xfe", "not JSON"),
        ("a.json", b"[" + b"1" * 5000 + b"]", "not JSON"),
        ("a.parquet", b"PAR1 no", "not a readable Parquet"),
        ("a.jsonl.gz", b"plain text", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(b'{"q": 1}\n' * 100, mtime=0)[:-12], "cannot be read"),
        ("a.csv", b"q,a\n" + b"x" * (1 << 26) + b"x,2\n", "not readable CSV"),
        ("a.xml", b"<a/>", "unknown kind of file"),
    ],
)
def test_broken_files_are_errors_even_when_rows_may_be_skipped(
    tmp_path: Path, name: str, content: bytes, word: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=word) as caught:
        list(read_rows(path, BadRows("skip")))
    assert name in str(caught.value)


def test_missing_places(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        data_files(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no data file"):
        data_files(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.csv", b"other,question\nx,ok\n\xff,fine\ny,caf\xe9\n", "line 4"),
        (
            "a.json",
            b'[{"question": "ok"}, {"question": "fine", "other": "\xff"}, {"question": "caf\xe9"}]',
            "row 3",
        ),
        (
            "a.jsonl",
            b'{"question": "ok"}\n{"question": "fine", "other": "\\ud800"}\n{"question": "half: \\ud83d"}\n',
            "line 3",
        ),
    ],
)
def test_text_that_is_not_unicode_is_named_by_its_column(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        [text_of(row, ("question",), where, BadRows()) for where, row in read_rows(path, BadRows())]
    assert f"{path}, {place}: column 'question' is not UTF-8" in str(caught.value)
    bad = BadRows("skip")
    assert [text_of(row, ("question",), where, bad) for where, row in read_rows(path, bad)] == [
        "ok",
        "fine",
        None,
    ]
    assert bad.skipped == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": 3}, ["'question'", "int", "expected text"]),
        ({"question": None}, ["'question'", "NoneType"]),
        ({"question": "  "}, ["'question'", "empty"]),
        ({"text": "x"}, ["'question' or 'problem'", "missing", "text"]),
    ],
)
def test_columns_of_a_wrong_kind_are_named(row: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        text_of(row, ("question", "problem"), "rows.jsonl, line 7", BadRows())
    assert all(word in str(caught.value) for word in ["rows.jsonl, line 7", "on_bad_row: skip", *words])
    bad = BadRows("skip")
    assert text_of(row, ("question", "problem"), "here", bad) is None
    assert bad.skipped == 1


def test_the_first_column_that_is_there_counts() -> None:
    read: Callable[..., str | None] = text_of
    assert read({"problem": "b", "question": "a"}, ("question", "problem"), "here", BadRows()) == "a"
    assert read({"problem": "b"}, ("question", "problem"), "here", BadRows()) == "b"
