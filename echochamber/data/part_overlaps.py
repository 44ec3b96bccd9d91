"""What single files of a source have in common with problem sets, and what all of them have together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .contamination import MOST_EXAMPLES, Overlap


class PartOverlap(NamedTuple):
    """What a file has in common with one problem set."""

    problem_set: str
    problems: int
    too_short: int
    documents: int
    hit: list[str]
    """Ids of the problems that were found."""
    examples: list[str]


def part_overlap(overlap: Overlap, name: str) -> PartOverlap:
    """What was found in the file `name`."""
    return PartOverlap(
        overlap.problem_set,
        overlap.problems,
        overlap.too_short,
        overlap.documents,
        sorted(overlap.hit),
        [f"{name}, {example}" for example in overlap.examples],
    )


def parse_overlap(row: object) -> PartOverlap | None:
    """Of a mark's JSON; None where it has another form."""
    match row:
        case [str(name), int(problems), int(short), int(documents), [*hit], [*examples]]:
            ids, texts = ([text for text in part if isinstance(text, str)] for part in (hit, examples))
            if len(ids) == len(hit) and len(texts) == len(examples):
                return PartOverlap(name, problems, short, documents, ids, texts)
    return None


def merged_overlaps(parts: Iterable[Sequence[PartOverlap]]) -> list[Overlap]:
    """What all files of a source together have in common with each problem set."""
    found: dict[str, Overlap] = {}
    for rows in parts:
        for row in rows:
            overlap = found.setdefault(row.problem_set, Overlap(row.problem_set, row.problems, row.too_short))
            overlap.hit |= set(row.hit)
            overlap.documents += row.documents
            overlap.examples = (overlap.examples + row.examples)[:MOST_EXAMPLES]
    return list(found.values())
