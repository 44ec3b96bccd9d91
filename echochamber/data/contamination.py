"""Does a training source contain an evaluation set? Word 13-grams for texts, structures for the world."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from ..core.errors import UserError
from ..core.types import Problem
from .gram_search import RUN, RunFilter, plain
from .sources import Document

GRAM = 13
"""Words in a row that count as a copy (Brown et al. 2020, appendix C)."""
SHORTEST = RUN
"""Questions of 8 to 12 words count when they occur whole; shorter ones cannot be checked."""
Gram = tuple[bytes, ...]
"""Words in a row."""
MOST_EXAMPLES = 5
"""Of one set in one source."""
_TOGETHER = 1 << 20
"""Letters that are searched at a time."""


def words_of(text: str) -> list[bytes]:
    """Lower-case words and numbers, without signs, as ASCII."""
    return plain(text).split()


def grams(words: Sequence[bytes], size: int) -> Iterator[Gram]:
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

    def to_json(self, dropped: bool = False) -> dict[str, object]:
        """Plain data for the plan; `dropped`: the documents were left out."""
        return {
            "problem_set": self.problem_set,
            "problems": self.problems,
            "too_short_to_check": self.too_short,
            "problems_found": len(self.hit),
            "share_found": round(self.share, 6),
            "documents": self.documents,
            "examples": self.examples,
        } | ({"dropped": True} if dropped else {})

    @classmethod
    def from_json(cls, row: Mapping[str, object]) -> "Overlap":
        """Of what `to_json` gives; only how many problems were found is kept, not which."""
        numbers = [row.get(key) for key in ("problems", "too_short_to_check", "problems_found", "documents")]
        problems, short, found, documents = (n if isinstance(n, int) else 0 for n in numbers)
        examples = row.get("examples")
        return cls(
            str(row.get("problem_set")),
            problems,
            short,
            {str(number) for number in range(found)},
            documents,
            examples=[str(text) for text in examples] if isinstance(examples, list) else [],
        )

    @property
    def share(self) -> float:
        """Share of the set's problems that occur in the source."""
        return len(self.hit) / self.problems if self.problems else 0.0


class ContaminationChecker:
    """Looks at a source's documents as they pass and keeps count of overlaps."""

    def __init__(self, against: Mapping[str, Sequence[Problem]]) -> None:
        self.overlaps = {name: Overlap(name, len(problems)) for name, problems in against.items()}
        self._structures: dict[str, list[tuple[str, str]]] = {}
        self._grams: dict[int, dict[Gram, list[tuple[str, str]]]] = {}
        self.seen = 0
        for name, problems in against.items():
            for problem in problems:
                self._index(name, problem)
        self._filter = RunFilter(gram[:RUN] for table in self._grams.values() for gram in table)

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

    def fresh(self) -> "ContaminationChecker":
        """One that has seen nothing, over the same tables."""
        other = copy(self)
        other.seen = 0
        other.overlaps = {
            name: Overlap(name, found.problems, found.too_short) for name, found in self.overlaps.items()
        }
        return other

    def add(self, document: Document) -> None:
        """Count one document."""
        self.add_all([document])

    def add_all(self, documents: Iterable[Document]) -> set[int]:
        """Count documents, real ones many at a time; returns the numbers of those with an overlap."""
        texts: list[tuple[int, bytes]] = []
        hits: set[int] = set()
        held = 0
        for number, document in enumerate(documents, self.seen):
            self.seen = number + 1
            if document.structure:
                same = self._structures.get(document.structure, ())
                self._record(number, same, "the same structure", hits)
            elif self._grams:
                text = plain(f"{document.question} {document.solution}")
                texts.append((number, text))
                held += len(text)
                if held > _TOGETHER:
                    self._search(texts, hits)
                    texts, held = [], 0
        self._search(texts, hits)
        return hits

    def clean(self, documents: Sequence[Document]) -> list[Document]:
        """Count documents; returns those without an overlap."""
        first = self.seen
        hits = self.add_all(documents)
        return [document for number, document in enumerate(documents, first) if number not in hits]

    def _search(self, texts: Sequence[tuple[int, bytes]], hits: set[int]) -> None:
        """Look for whole grams where the filter says that one may begin."""
        for index, places in self._filter.search([text for _, text in texts]) if texts else ():
            number, text = texts[index]
            words = text.split()
            for size, table in self._grams.items():
                for start in places:
                    gram = tuple(words[start : start + size])
                    if gram in table:
                        self._record(number, table[gram], b" ".join(gram).decode(), hits)

    def _record(self, number: int, found: Sequence[tuple[str, str]], what: str, hits: set[int]) -> None:
        for name, problem_id in found:
            hits.add(number)
            overlap = self.overlaps[name]
            if problem_id not in overlap.hit:
                overlap.hit.add(problem_id)
                if len(overlap.examples) < MOST_EXAMPLES:
                    overlap.examples.append(f"document {number} and problem {problem_id}: {what}")
            if overlap.last_document != number:
                overlap.documents, overlap.last_document = overlap.documents + 1, number


def refuse_contaminated(
    source_name: str, overlaps: Iterable[Overlap], threshold: float, *, whole: bool = True
) -> None:
    """`UserError` when a source holds a larger share of a problem set than allowed.

    `whole`: all of the source was searched; otherwise what was found is a lower bound, and the line says so.
    """
    for overlap in overlaps:
        if overlap.share > threshold:
            raise UserError(
                f"source {source_name!r} holds {'' if whole else 'at least '}{len(overlap.hit)} of the "
                f"{overlap.problems} problems of {overlap.problem_set!r} ({overlap.share:.1%}, allowed "
                f"{threshold:.1%}); first: {overlap.examples[0]}; set on_contamination: drop in the mixture "
                "to train without such documents, take source or set out, or raise max_contamination"
            )
