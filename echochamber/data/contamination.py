"""Does a training source contain an evaluation set? Word 13-grams for texts, structures for the world."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.errors import UserError
from ..core.types import Problem
from .sources import Document

GRAM = 13
"""Words in a row that count as a copy (Brown et al. 2020, appendix C)."""
SHORTEST = 8
"""Questions of 8 to 12 words count when they occur whole; shorter ones cannot be checked."""
_WORD = re.compile(r"[a-z0-9]+")
_EXAMPLES = 5


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers, without signs."""
    return _WORD.findall(text.lower())


def grams(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """All runs of `size` words."""
    return (tuple(words[start : start + size]) for start in range(len(words) - size + 1))


@dataclass
class Overlap:
    """What one source has in common with one problem set."""

    problem_set: str
    problems: int
    too_short: int = 0
    hit: set[str] = field(default_factory=set)
    """Ids of the problems that were found."""
    documents: int = 0
    last_document: int = -1
    examples: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Plain data for the plan."""
        return {
            "problem_set": self.problem_set,
            "problems": self.problems,
            "too_short_to_check": self.too_short,
            "problems_found": len(self.hit),
            "share_found": round(self.share, 6),
            "documents": self.documents,
            "examples": self.examples,
        }

    @property
    def share(self) -> float:
        """Share of the set's problems that occur in the source."""
        return len(self.hit) / self.problems if self.problems else 0.0


class ContaminationChecker:
    """Looks at a source's documents as they pass and keeps count of overlaps."""

    def __init__(self, against: Mapping[str, Sequence[Problem]]) -> None:
        self.overlaps = {name: Overlap(name, len(problems)) for name, problems in against.items()}
        self._structures: dict[str, list[tuple[str, str]]] = {}
        self._grams: dict[int, dict[tuple[str, ...], list[tuple[str, str]]]] = {}
        self.seen = 0
        for name, problems in against.items():
            for problem in problems:
                self._index(name, problem)

    def _index(self, name: str, problem: Problem) -> None:
        if problem.structure:
            self._structures.setdefault(problem.structure, []).append((name, problem.id))
            return
        words = words_of(problem.question)
        if len(words) < SHORTEST:
            self.overlaps[name].too_short += 1
            return
        size = min(GRAM, len(words))
        table = self._grams.setdefault(size, {})
        for gram in grams(words, size):
            table.setdefault(gram, []).append((name, problem.id))

    def add(self, document: Document) -> None:
        """Count one document."""
        number = self.seen
        self.seen += 1
        if document.structure:
            self._record(number, self._structures.get(document.structure, ()), "the same structure")
            return
        if not self._grams:
            return
        words = words_of(document.question + " " + document.solution)
        for size, table in self._grams.items():
            for gram in grams(words, size):
                if gram in table:
                    self._record(number, table[gram], " ".join(gram))

    def _record(self, number: int, found: Sequence[tuple[str, str]], what: str) -> None:
        for name, problem_id in found:
            overlap = self.overlaps[name]
            if problem_id not in overlap.hit:
                overlap.hit.add(problem_id)
                if len(overlap.examples) < _EXAMPLES:
                    overlap.examples.append(f"document {number} and problem {problem_id}: {what}")
            if overlap.last_document != number:
                overlap.documents, overlap.last_document = overlap.documents + 1, number


def refuse_contaminated(source_name: str, checker: ContaminationChecker, threshold: float) -> None:
    """`UserError` when a source holds a larger share of a problem set than allowed."""
    for overlap in checker.overlaps.values():
        if overlap.share > threshold:
            raise UserError(
                f"source {source_name!r} holds {len(overlap.hit)} of the {overlap.problems} problems of "
                f"{overlap.problem_set!r} ({overlap.share:.1%}, allowed {threshold:.1%}); first: "
                f"{overlap.examples[0]}; take the set out, or raise max_contamination"
            )
