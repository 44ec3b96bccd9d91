"""JSON Lines, plain or gzipped, with errors that name file, line and column."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import write_text


def read_jsonl(path: Path, required: Iterable[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row); blank lines are skipped.

    Raises `UserError` for a missing file, broken JSON, a row that is no object, or one without a
    required column.
    """
    needed = tuple(required)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    row = parse_row(line, f"{path}, line {number}", needed)
                    if lost := [name for name in needed if not is_text(row[name])]:
                        raise UserError(f"{path}, line {number}: {lost[0]} holds half of a surrogate pair")
                    yield number, row
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def is_text(value: object) -> bool:
    """False for what holds half of a surrogate pair, which no file and no tokenizer takes."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_row(line: str, where: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """One JSON object; `where` names file and line in the error."""
    try:
        row = json.loads(line.rstrip())
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: is not JSON ({error.msg} at column {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; nesting without end
        raise UserError(f"{where}: is not JSON that can be read ({error})") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: is {type(row).__name__}, expected an object with columns")
    missing = [name for name in required if name not in row]
    if missing:
        found = ", ".join(sorted(row)) or "none"
        raise UserError(f"{where}: column {missing[0]!r} is missing; columns found: {found}")
    return row


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """A whole file or nothing; for row sets that fit in memory."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
