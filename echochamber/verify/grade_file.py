"""Streaming grader for files of any size: JSON Lines in, JSON Lines out, order kept."""

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..core.errors import UserError
from ..core.files import is_stream, make_folder, write_target
from ..core.jsonl import is_text, parse_row
from ..core.storage import storage_errno, storage_failure
from ..core.types import Problem, Verdict
from .grade import Grader
from .grader_config import GraderConfig

COLUMNS = ("id", "completion", "reference")


@dataclass
class GradeCounts:
    """What a file came to."""

    rows: int = 0
    bad_lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """The first bad lines, each with file, number and what is wrong."""


def grade_lines(
    source: Path,
    target: Path,
    strict: bool = False,
    config: GraderConfig | None = None,
    workers: int | None = None,
    batch_rows: int = 512,
    on_progress: Callable[[int], None] | None = None,
    on_bad_line: Callable[[str], None] | None = None,
) -> GradeCounts:
    """Grade rows of `COLUMNS` into {"id", "format", "answer", "outcome", "correct", "detail"}.

    A bad line is reported through `on_bad_line` and skipped, or ends the run with `UserError` when
    `strict`. So does a file whose lines are all bad; one without lines gives no verdicts. The target appears
    complete or not at all; a device or a pipe is written to.
    """
    counts = GradeCounts()
    make_folder(target.parent)
    target = write_target(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target}: is the input file too; choose another file for the verdicts")
    through = is_stream(target)
    partial = target if through else target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as out, Grader(config, workers) as grader:
            rows = _rows(source, strict, counts, on_bad_line)
            while batch := list(islice(rows, batch_rows)):
                _grade_batch(grader, batch, counts, out.write)
                if on_progress:
                    on_progress(len(batch))
        if counts.bad_lines and not counts.rows:
            raise UserError(
                f"{source}: none of its {counts.bad_lines} lines could be graded; "
                f"the first: {counts.errors[0]}"
            )
        if not through:
            partial.replace(target)
    except OSError as error:
        if (number := storage_errno(error)) is not None:
            raise storage_failure(target, number) from None
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from None
    finally:
        if not through:
            partial.unlink(missing_ok=True)
    return counts


def _grade_batch(
    grader: Grader, batch: list[dict[str, object]], counts: GradeCounts, write: Callable[[str], object]
) -> None:
    items = [
        (Problem(str(row["id"]), "", _final(str(row["reference"]))), str(row["completion"])) for row in batch
    ]
    for row, verdict in zip(batch, grader.grade_batch(items), strict=True):
        write(json.dumps(_out_row(row["id"], verdict)) + "\n")
        counts.rows += 1
        counts.outcomes[verdict.outcome] += 1
        counts.formats[verdict.format] += 1


def _final(reference: str) -> str:
    """The answer in a reference: of a GSM8K solution what follows the last `####`."""
    return reference.rsplit("####", 1)[-1].strip()


def _out_row(row_id: object, verdict: Verdict) -> dict[str, object]:
    return {
        "id": row_id,
        "format": verdict.format,
        "answer": verdict.answer,
        "outcome": verdict.outcome,
        "correct": verdict.correct,
        "detail": verdict.detail,
    }


def _rows(
    source: Path, strict: bool, counts: GradeCounts, on_bad_line: Callable[[str], None] | None
) -> Iterator[dict[str, object]]:
    """Good rows of the file; bad lines are counted and reported with their number."""
    for number, line in _lines(source):
        try:
            row = parse_row(line, f"{source}, line {number}", COLUMNS)
            _check_types(row, f"{source}, line {number}")
        except UserError as error:
            if strict:
                raise
            counts.bad_lines += 1
            counts.errors = [*counts.errors, str(error)][:20]
            if on_bad_line:
                on_bad_line(str(error))
            continue
        yield row


def _check_types(row: Mapping[str, object], where: str) -> None:
    if not isinstance(row["id"], str | int | float | None):
        raise UserError(f"{where}: id is {type(row['id']).__name__}, expected text or a number")
    if not isinstance(row["completion"], str):
        raise UserError(f"{where}: completion is {type(row['completion']).__name__}, expected text")
    for name in COLUMNS:
        if not is_text(row[name]):
            raise UserError(f"{where}: {name} holds half of a surrogate pair, which is no text")
    if isinstance(row["reference"], bool) or not isinstance(row["reference"], str | int | float):
        raise UserError(f"{where}: reference is {type(row['reference']).__name__}, expected text or a number")


def _lines(source: Path) -> Iterable[tuple[int, str]]:
    """Numbered lines; a line that is not UTF-8 comes through with marks, so that it is bad alone."""
    opener = gzip.open if source.suffix == ".gz" else open
    try:
        with opener(source, "rt", encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{source}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
