"""Problem files of any kind and any damage: scored, or refused in one line."""

import csv
import gzip
import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import strategies as st

from .command import Portion, call, check, fuzz, portions, whole_or_absent
from .values import damaged, leaves, texts, values

ROWS: list[dict[str, object]] = [
    {"question": "Mia has 3 boxes of 6 pens. How many pens?", "answer": "3 * 6 = 18\n#### 18"},
    {"Body": "Mia has 3 boxes of 6 pens.", "Question": "How many pens?", "Answer": 18.0, "ID": "s-1"},
    {"problem": "What is $2+2$?", "solution": "So $\\boxed{4}$.", "unique_id": "m"},
    {"prompt": "2 + 2?", "reference": 4, "id": 3},
    {"Problem": "How many?", "expected_answer": "1,234.0"},
]
columns = st.sampled_from(sorted({key for row in ROWS for key in row} | {"", "completion", "extra"}))
cells = st.one_of(
    texts, st.sampled_from(["18", 18, 18.0, "#### 3", "\\boxed{", "\\boxed{7}", "2 pens", None]), values
)


@st.composite
def _rows(draw: st.DrawFn) -> list[object]:
    """Rows of known sets, some with other cells or columns, some no rows at all."""
    rows: list[object] = []
    for _ in range(draw(st.integers(1, 4))):
        row = dict(draw(st.sampled_from(ROWS)))
        for key in draw(st.lists(columns, max_size=3)):
            row[key] = draw(cells)
        for key in draw(st.lists(columns, max_size=2)):
            row.pop(key, None)
        rows.append(row if draw(st.integers(0, 9)) else draw(values))
    return rows


def _encoded(rows: list[object], suffix: str) -> bytes:
    """The rows in the format of a suffix."""
    if suffix == ".json":
        return json.dumps(rows).encode()
    mappings = [row for row in rows if isinstance(row, dict)]
    if suffix == ".csv":
        stream = io.StringIO()
        names = list(dict.fromkeys(str(key) for row in mappings for key in row))
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows([{str(key): value for key, value in row.items()} for row in mappings])
        return stream.getvalue().encode("utf-8", "surrogatepass")
    if suffix == ".parquet":
        kept = io.BytesIO()
        try:
            pl.DataFrame(mappings, strict=False).write_parquet(kept)
        except Exception:  # noqa: BLE001 - what Polars cannot hold is no Parquet file
            return b"PAR1"
        return kept.getvalue()
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return gzip.compress(text, mtime=0) if suffix == ".jsonl.gz" else text


SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".jsonl.gz")


@st.composite
def problem_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """Suffix and content."""
    suffix = draw(st.sampled_from(SUFFIXES))
    content = _encoded(draw(_rows()), suffix)
    if draw(st.booleans()):
        content = draw(damaged(content))
    named = draw(st.sampled_from(SUFFIXES)) if draw(st.integers(0, 9)) == 0 else suffix
    return named, content


@pytest.mark.parametrize("portion", portions("problem files", default=4))
def test_problem_files(portion: Portion, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def one(file: tuple[str, bytes], policy: str, probed: bool) -> None:
        suffix, content = file
        path = tmp_path / f"problems{suffix}"
        path.write_bytes(content)
        short = ["--limit", 2, "--max-new-tokens", 2, "--on-bad-row", policy, "--samples", 1, "--out", out]
        command = ["probe", "--temperatures", "0", "--formats", "omi2"] if probed else ["evaluate"]
        ended = check(call(*command, "--checkpoint", checkpoint, "--problems", path, *short))
        published = list(out.glob("*-*/manifest.json"))
        assert len(published) == (ended.status == 0), ended.err
        whole_or_absent(path)
        shutil.rmtree(out, ignore_errors=True)
        path.unlink()

    fuzz(
        portion,
        one,
        file=problem_file(),
        policy=st.sampled_from(["error", "skip"]),
        probed=st.integers(0, 9).map(lambda n: n == 0),
    )


@pytest.mark.parametrize("portion", portions("completion files", default=2))
def test_files_of_completions_to_probe(portion: Portion, checkpoint: Path, tmp_path: Path) -> None:
    out, path, problems = tmp_path / "out", tmp_path / "completions.jsonl", tmp_path / "problems.jsonl"
    problems.write_text(json.dumps(ROWS[0]) + "\n")
    rows = st.lists(
        st.fixed_dictionaries({}, optional={"question": cells, "completion": cells, "id": leaves}),
        min_size=1,
        max_size=3,
    )

    def one(given: list[object], content: bytes) -> None:
        path.write_bytes(_encoded([{"question": "2 + 2?", "completion": "4"}, *given], ".jsonl") + content)
        short = [
            "--temperatures",
            "0",
            "--formats",
            "omi2",
            "--samples",
            1,
            "--max-new-tokens",
            2,
            "--out",
            out,
        ]
        where = ["--checkpoint", checkpoint, "--problems", problems, "--completions", path]
        check(call("probe", *where, *short))
        whole_or_absent(path)
        shutil.rmtree(out, ignore_errors=True)

    fuzz(portion, one, given=rows, content=st.binary(max_size=4))
