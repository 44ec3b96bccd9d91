"""Input files of a source as token ids on disk, one part each: what a part holds, and whether it is whole.

NUMBER.tokens    ids, uint16 or uint32 by vocabulary; every document ends with end-of-text
NUMBER.starts    where each document starts, int64; one more entry for the end
NUMBER.prompts   how many of a document's first tokens are its prompt, uint32
NUMBER.json      the mark of completion: counts, digests, what was left out, overlaps, a sample of questions
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..core.checksums import Recorded, hash_file, parse_record
from ..core.errors import UserError
from ..core.files import read_json, write_json
from .part_overlaps import PartOverlap, parse_overlap

T = TypeVar("T")
KINDS = ("tokens", "starts", "prompts")


class KeptQuestion(NamedTuple):
    """A document of the sample: those with the smallest of random priorities."""

    priority: float
    question: str
    solution: str


@dataclass(frozen=True)
class TokenPart:
    """A finished part."""

    name: str
    """The input file's name inside its source."""
    documents: int
    tokens: int
    prompt_tokens: int
    filtered: int
    """Rows left out by the set's own rule."""
    skipped: int
    """Bad rows."""
    files: Recorded
    overlaps: list[PartOverlap]
    questions: list[KeptQuestion]
    dropped: int = 0
    """Documents left out because they hold an evaluation problem."""


def part_paths(folder: Path, number: int) -> list[Path]:
    """The three files of a part."""
    return [folder / f"{number:05d}.{kind}" for kind in KINDS]


def write_mark(folder: Path, number: int, part: TokenPart) -> None:
    """Say that a part is whole; its files lie there already."""
    dropped = {"dropped": part.dropped} if part.dropped else {}
    data = {name: value for name, value in vars(part).items() if name != "dropped"}
    write_json(folder / f"{number:05d}.json", data | dropped)


def read_part(folder: Path, number: int, name: str, content: bool = False) -> TokenPart | None:
    """A part that is finished and whole, else None.

    `content`: compare digests too, as after a kill, when a file may have been cut.
    """
    mark = folder / f"{number:05d}.json"
    try:
        part = _parse(read_json(mark)) if mark.is_file() else None
    except UserError:
        return None
    paths = part_paths(folder, number)
    if part is None or part.name != name or set(part.files) != {path.name for path in paths}:
        return None
    for path in paths:
        size, digest = part.files[path.name]
        if not path.is_file() or path.stat().st_size != size or (content and hash_file(path) != digest):
            return None
    return part


def _parse(data: dict[str, object]) -> TokenPart | None:
    """A mark's content; None where it has another form."""
    keys = ("documents", "tokens", "prompt_tokens", "filtered", "skipped")
    counts = [*(data.get(key) for key in keys), data.get("dropped", 0)]
    numbers = [count for count in counts if type(count) is int and count >= 0]
    files, name = parse_record(data.get("files")), data.get("name")
    overlaps, questions = _rows(data.get("overlaps"), parse_overlap), _rows(data.get("questions"), _question)
    if len(numbers) < len(counts) or files is None or overlaps is None or questions is None:
        return None
    documents, tokens, prompt_tokens, filtered, skipped, dropped = numbers
    return TokenPart(
        str(name), documents, tokens, prompt_tokens, filtered, skipped, files, overlaps, questions, dropped
    )


def _rows(rows: object, parse: Callable[[object], T | None]) -> list[T] | None:
    """Every row parsed; None where one has another form."""
    found = [parse(row) for row in rows] if isinstance(rows, list) else [None]
    return None if None in found else [row for row in found if row is not None]


def _question(row: object) -> KeptQuestion | None:
    match row:
        case [float(priority), str(question), str(solution)]:
            return KeptQuestion(priority, question, solution)
    return None
