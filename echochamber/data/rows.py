"""Rows of local files: JSON Lines (also compressed), JSON arrays, CSV and Parquet, one dict each.

Every row comes with its place (`file, line 7`) for error messages. A bad row is an error that names
the place, or is skipped and counted, as the caller wants.
"""

import csv
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from ..core.errors import UserError
from ..core.jsonl import parse_row
from .text_lines import MOST_LINE_BYTES, lines_of

OnBadRow = Literal["error", "skip"]
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".csv", ".parquet")
_PARQUET_BATCH = 4096
csv.field_size_limit(1 << 26)

RowAt = tuple[str, dict[str, object]]
"""A row with its place (file and line), for error messages."""


@dataclass
class BadRows:
    """What to do with bad rows, and how many there were."""

    policy: OnBadRow = "error"
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    """The first few, for the plan's note."""

    def refuse(self, reason: str) -> None:
        """Raise, or count the row as skipped."""
        if self.policy == "error":
            raise UserError(
                f"{reason}; set on_bad_row: skip (as an option: --on-bad-row skip) to leave such rows out"
            )
        self.skipped += 1
        if len(self.reasons) < 5:
            self.reasons.append(reason)


def data_files(path: Path) -> list[Path]:
    """The file itself, or the data files of a folder and those within it, in order of their relative names.

    Files and folders whose name starts with a dot are left out: downloads keep their records there. Links to
    folders are not followed.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if not path.is_dir():
        raise UserError(f"{path}: is neither a file nor a folder")
    found = sorted(
        (item for item in path.rglob("*") if item.name.endswith(SUFFIXES) and _is_data(item, path)),
        key=lambda item: item.relative_to(path).as_posix(),
    )
    if not found:
        raise UserError(f"{path}: holds no data file ({', '.join(SUFFIXES)})")
    return found


def _is_data(item: Path, folder: Path) -> bool:
    return item.is_file() and not any(part.startswith(".") for part in item.relative_to(folder).parts)


def read_rows(path: Path, bad: BadRows) -> Iterator[RowAt]:
    """(place, row) of a file or of each file of a folder, in order; memory stays flat but for `.json`."""
    for file in data_files(path):
        try:
            yield from _reader(file)(file, bad)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _reader(file: Path) -> Callable[[Path, BadRows], Iterator[RowAt]]:
    for suffix, reader in _READERS.items():
        if file.name.lower().endswith(suffix):
            return reader
    raise UserError(f"{file}: unknown kind of file; expected {', '.join(SUFFIXES)}")


def _json_lines(file: Path, bad: BadRows) -> Iterator[RowAt]:
    for number, raw in enumerate(lines_of(file), start=1):
        where = f"{file}, line {number}"
        if raw is None:
            bad.refuse(f"{where}: is longer than {MOST_LINE_BYTES >> 20} MiB")
            continue
        if not raw.strip():
            continue
        try:
            yield where, parse_row(raw.decode("utf-8-sig" if number == 1 else "utf-8"), where)
        except UnicodeDecodeError as error:
            bad.refuse(f"{where}, byte {error.start + 1}: is not UTF-8 ({error.reason})")
        except UserError as error:
            bad.refuse(str(error))


def _json(file: Path, bad: BadRows) -> Iterator[RowAt]:
    try:
        # Bytes that are not UTF-8 become lone surrogates, which `text_of` refuses with row and column.
        data = json.loads(file.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is not JSON ({error})") from None
    if not isinstance(data, list):
        raise UserError(f"{file}: holds {type(data).__name__}, expected an array of objects")
    for number, row in enumerate(data, start=1):
        if isinstance(row, dict):
            yield f"{file}, row {number}", row
        else:
            bad.refuse(f"{file}, row {number}: is {type(row).__name__}, expected an object with columns")


def _csv(file: Path, bad: BadRows) -> Iterator[RowAt]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            for row in reader:
                where = f"{file}, line {reader.line_num}"
                if None in row or None in row.values():
                    bad.refuse(
                        f"{where}: has another number of columns than the header "
                        f"({len(reader.fieldnames or ())})"
                    )
                else:
                    yield where, row
        except csv.Error as error:
            raise UserError(f"{file}, near line {reader.line_num}: is not readable CSV ({error})") from None


def _parquet(file: Path, bad: BadRows) -> Iterator[RowAt]:
    del bad
    try:
        frame = pl.scan_parquet(file)
        total = frame.select(pl.len()).collect().item()
        for start in range(0, total, _PARQUET_BATCH):
            part = frame.slice(start, _PARQUET_BATCH).collect()
            yield from (
                (f"{file}, row {start + i}", row) for i, row in enumerate(part.iter_rows(named=True), start=1)
            )
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{file}: is not a readable Parquet file ({str(error).splitlines()[0]})") from None


_READERS = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".jsonl.zst": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}


def text_of(row: Mapping[str, object], names: Iterable[str], where: str, bad: BadRows) -> str | None:
    """The first of the columns that is there, as non-empty text; None when the row is refused."""
    for name in names:
        if name in row:
            value = row[name]
            if not isinstance(value, str):
                bad.refuse(f"{where}: column {name!r} is {type(value).__name__}, expected text")
                return None
            if not value.strip():
                bad.refuse(f"{where}: column {name!r} is empty")
                return None
            if not _is_unicode(value):
                bad.refuse(
                    f"{where}: column {name!r} is not UTF-8 (half a surrogate pair, or a byte that is none)"
                )
                return None
            return value
    found = ", ".join(map(str, row)) or "none"
    bad.refuse(
        f"{where}: column {' or '.join(repr(name) for name in names)} is missing; columns found: {found}"
    )
    return None


def _is_unicode(text: str) -> bool:
    """False for text with lone surrogates, which no tokenizer and no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
