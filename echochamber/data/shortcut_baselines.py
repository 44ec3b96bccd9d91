"""Shortcut baselines: how many problems are solved without reading the story?

- The fixed expression: the best chain of operations over the numbers in their order of appearance.
- The nearest question: the answer of the most similar training question, with numbers masked.

Problems of the world are compared with training questions of their own level. Any other set is
compared with a sample of the questions of the mixture that a model is trained on.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..core.keys import key
from ..core.types import Problem
from ..stats.intervals import wilson
from .world.wording import number_words

MOST_PROBLEMS = 500
"""Problems of a set that are scored."""

_WORDS = {number_words(value): value for value in range(1000)}
_TOKEN = re.compile(
    r"\d+(?:\.\d+)?|[a-z]+(?:-[a-z]+)?(?: hundred(?: and [a-z]+(?:-[a-z]+)?)?)?", re.IGNORECASE
)
_MOST_NUMBERS = 9
_OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "rsub": lambda left, right: right - left,
    "skip": lambda left, right: left,
}
"""Ways to take the next number into the running result; `skip` leaves it out."""


def numbers_in(text: str) -> list[float]:
    """The numbers of a question in order, in digits or in words.

    >>> numbers_in("Mia has 3 boxes of twenty-one pens.")
    [3.0, 21.0]
    """
    found = []
    for match in _TOKEN.finditer(text):
        token = match[0].lower()
        if token[0].isdigit():
            found.append(float(token))
        elif token in _WORDS:
            found.append(float(_WORDS[token]))
    return found


@dataclass(frozen=True, slots=True)
class FixedExpression:
    """For each count of numbers, the signs that answered most problems."""

    signs: dict[int, tuple[str, ...]]

    def score(self, problems: Sequence[Problem]) -> float:
        """Share of the problems that it answers."""
        right = 0
        for problem in problems:
            numbers = numbers_in(problem.question)
            signs = self.signs.get(len(numbers))
            if signs is not None:
                right += _close(_value(numbers, signs), problem)
        return right / len(problems) if problems else 0.0


def _value(numbers: Sequence[float], signs: tuple[str, ...]) -> float:
    value = np.array(numbers[0])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for sign, number in zip(signs, numbers[1:], strict=True):
            value = _OPERATIONS[sign](value, np.array(number))
    return float(value)


def _close(value: float, problem: Problem) -> bool:
    answer = _answer(problem)
    return answer is not None and abs(value - answer) < 1e-6


def _answer(problem: Problem) -> float | None:
    """The reference as a number; None for an interval, a formula and the like."""
    try:
        return float(Fraction(problem.reference))
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def best_fixed_expression(problems: Sequence[Problem]) -> FixedExpression:
    """The best left-to-right expression for each count of numbers, by search over all of them.

    All 6^(k-1) chains of signs are tried up to 6 numbers, and of + - * up to 9; problems with more
    numbers, or with an answer that is no number, count as not answered.
    """
    groups: dict[int, list[tuple[list[float], float]]] = {}
    for problem in problems:
        numbers = numbers_in(problem.question)
        answer = _answer(problem)
        if answer is not None and 1 <= len(numbers) <= _MOST_NUMBERS:
            groups.setdefault(len(numbers), []).append((numbers, answer))
    signs = {}
    for count, rows in groups.items():
        columns = np.array([numbers for numbers, _ in rows]).T
        allowed = tuple(_OPERATIONS) if count <= 6 else ("+", "-", "*")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            signs[count] = _search(columns[0], columns, 1, np.array([answer for _, answer in rows]), allowed)[
                1
            ]
    return FixedExpression(signs)


def _search(
    value: np.ndarray, columns: np.ndarray, index: int, answers: np.ndarray, allowed: tuple[str, ...]
) -> tuple[int, tuple[str, ...]]:
    """Best (hits, signs) over all ways to go on from a running result."""
    if index == len(columns):
        return int((np.abs(value - answers) < 1e-6).sum()), ()
    best: tuple[int, tuple[str, ...]] = (-1, ())
    for sign in allowed:
        hits, rest = _search(_OPERATIONS[sign](value, columns[index]), columns, index + 1, answers, allowed)
        if hits > best[0]:
            best = hits, (sign, *rest)
    return best


def masked(question: str) -> list[str]:
    """The words of a question with every number as `#`."""
    tokens = []
    for match in _TOKEN.finditer(question):
        token = match[0].lower()
        tokens += ["#"] if token[0].isdigit() or token in _WORDS else token.split()
    return tokens


def nearest_question_score(train: Sequence[Problem], problems: Sequence[Problem]) -> float:
    """Share answered by copying the answer of the most similar training question (cosine of word counts)."""
    vocabulary = {
        word: i for i, word in enumerate(sorted({word for item in train for word in masked(item.question)}))
    }
    known = _vectors(train, vocabulary)
    right = 0
    for start in range(0, len(problems), 256):
        part = problems[start : start + 256]
        nearest = (_vectors(part, vocabulary) @ known.T).argmax(axis=1)
        right += sum(train[int(i)].reference == item.reference for i, item in zip(nearest, part, strict=True))
    return right / len(problems) if problems else 0.0


def _vectors(problems: Sequence[Problem], vocabulary: dict[str, int]) -> np.ndarray:
    """(N, words) unit vectors of word counts."""
    vectors = np.zeros((len(problems), len(vocabulary)), dtype=np.float32)
    for row, problem in enumerate(problems):
        for word, count in Counter(masked(problem.question)).items():
            if word in vocabulary:
                vectors[row, vocabulary[word]] = count
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def shortcut_scores(train: Sequence[Problem], problems: Sequence[Problem], seed: int) -> dict[str, object]:
    """Both baselines on at most `MOST_PROBLEMS` problems: shares, 95% Wilson intervals and counts.

    The intervals hold for the given training questions. A training question with the structure of a
    scored problem is left out, because copying it is no shortcut. `{}` without training questions.
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


def shortcut_line(name: str, scores: dict[str, Any]) -> str:
    """The scores of one set as a line for the terminal."""
    if not scores:
        return (
            f"shortcut baselines, {name}: not estimable, "
            "there is no training question with a known answer to compare with"
        )
    parts = [
        f"{label.replace('_', ' ')} {row['share']:.1%} ({row['interval'][0]:.1%} to {row['interval'][1]:.1%})"
        for label, row in scores["scores"].items()
    ]
    counts = f"{scores['problems']} problems, {scores['train_questions']} training questions"
    return f"shortcut baselines, {name}: {', '.join(parts)}; {counts}"
