"""Surface baselines of a problem set as data: sampled, seeded, and with intervals.

A world set is compared with training questions of its own level; any other set with a sample of the
questions of the mixture that a model is trained on.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.random import key
from ..core.types import Problem
from ..stats.intervals import wilson
from .problem_sets import last_boxed, normalise_reference
from .shortcut_baselines import best_fixed_expression, nearest_question_score
from .sources import Document
from .world import WorldConfig, draw_problem
from .world.config import HELD_OUT

TRAIN_QUESTIONS = 2000
"""Training questions that the baselines are fitted on; more raise them little and cost time."""
MOST_PROBLEMS = 500
"""Problems of a set that are scored."""
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


def surface_scores(train: Sequence[Problem], problems: Sequence[Problem], seed: int) -> dict[str, Any]:
    """Both baselines with Wilson intervals (95%, given the training questions), and how many questions they rest on.

    Training questions with the structure of a scored problem are left out: copying is not a surface cue.
    `{}` without training questions.
    """
    chosen = random.Random(key("surface", "problems", seed)).sample(
        problems, min(MOST_PROBLEMS, len(problems))
    )
    own = {problem.structure for problem in chosen if problem.structure}
    known = [problem for problem in train if problem.structure not in own]
    if not known or not chosen:
        return {}
    shares = {
        "fixed_expression": best_fixed_expression(known).score(chosen),
        "nearest_question": nearest_question_score(known, chosen),
    }
    scores = {
        name: {"share": share, "interval": list(wilson(round(share * len(chosen)), len(chosen)))}
        for name, share in shares.items()
    }
    return {"train_questions": len(known), "problems": len(chosen), "seed": seed, "scores": scores}


def surface_line(name: str, scores: dict[str, Any]) -> str:
    """The scores of one set as a line for the terminal."""
    if not scores:
        return f"surface cues, {name}: not estimable, there is no training question with a known answer to compare with"
    parts = [
        f"{label.replace('_', ' ')} {row['share']:.1%} ({row['interval'][0]:.1%} to {row['interval'][1]:.1%})"
        for label, row in scores["scores"].items()
    ]
    return f"surface cues, {name}: {', '.join(parts)}; {scores['problems']} problems, {scores['train_questions']} training questions"


@dataclass
class Reservoir:
    """A seeded uniform sample of the questions that pass, in constant memory (Vitter 1985, algorithm R)."""

    size: int = TRAIN_QUESTIONS
    seed: int = 0
    kept: list[Document] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(key("surface", "reservoir", self.seed))

    def see(self, document: Document) -> None:
        """Keep it, in another one's place perhaps, or let it pass; text without a question does not count."""
        if not document.question:
            return
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append(document)
        elif (place := self._random.randrange(self.seen)) < self.size:
            self.kept[place] = document


def answered(documents: Iterable[Document]) -> list[Problem]:
    """Documents with a question and a known answer, as problems; programs of real rows write none and are left out."""
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

    >>> written_answer("2 + 3 = 5\n#### 1,005"), written_answer(r"So \boxed{7}."), written_answer("return result")
    ('1005', '7', '')
    """
    marked = _WRITTEN.findall(solution)
    return normalise_reference(marked[-1]) if marked else normalise_reference(last_boxed(solution))
