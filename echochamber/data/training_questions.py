"""Training questions with known answers: what the shortcut baselines are fitted on."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..core.keys import key
from ..core.types import Problem
from .problem_sets import last_boxed, normalise_reference
from .sources import Document
from .world import WorldConfig, draw_problem
from .world.config import HELD_OUT

TRAIN_QUESTIONS = 2000
"""Questions that are kept; more raise the baselines little and cost time."""
_WRITTEN = re.compile(r"(?:####|The answer is:?)\s*(\S[^\n]*)")


def world_training_questions(world: WorldConfig, problem_set: str, seed: int) -> list[Problem]:
    """Training problems with the set's own numbers of operations (of `all` for a set held out of training).

    Their stream is not that of any problem set, so that a training set is not compared with itself.
    """
    name = "all" if problem_set in HELD_OUT else problem_set
    return [
        draw_problem(world, key("surface", seed) % 2**32, "train", index, name)
        for index in range(TRAIN_QUESTIONS)
    ]


@dataclass
class Reservoir:
    """A seeded uniform sample of the questions that pass, in constant memory (Vitter 1985, algorithm R)."""

    size: int = TRAIN_QUESTIONS
    seed: int = 0
    kept: list[Document] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(key("surface", "reservoir", self.seed))

    def add(self, document: Document) -> None:
        """Keep it, in another one's place perhaps, or let it pass; text without a question does not count."""
        if not document.question:
            return
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append(document)
        elif (index := self._random.randrange(self.seen)) < self.size:
            self.kept[index] = document


def answered(documents: Iterable[Document]) -> list[Problem]:
    """Documents with a question and a known answer, as problems; programs of real rows write no answer."""
    found = []
    for number, document in enumerate(documents):
        reference = (document.answer or written_answer(document.solution)) if document.question else ""
        if reference:
            found.append(
                Problem(f"train-{number}", document.question, reference, structure=document.structure)
            )
    return found


def mixed_questions(documents: Sequence[Document], seed: int) -> list[Problem]:
    """At most `TRAIN_QUESTIONS` answered questions of a mixture, in a seeded order."""
    return answered(random.Random(key("surface", seed)).sample(documents, len(documents)))[:TRAIN_QUESTIONS]


def written_answer(solution: str) -> str:
    r"""What a solution gives as its answer: after the last `####` or `The answer is`, or in the last box.

    >>> [written_answer(text) for text in ("2 + 3 = 5\n#### 1,005", r"So \boxed{7}.", "return result")]
    ['1005', '7', '']
    """
    marked = _WRITTEN.findall(solution)
    return normalise_reference(marked[-1]) if marked else normalise_reference(last_boxed(solution))
