"""maj@k of a simulated policy: which wrong answers would stand against the right one in a vote.

Axes: P problems, A different wrong answers, R draws.
"""

from typing import Self

import numpy as np
import polars as pl
from jaxtyping import Float

from ..core.random import generator

DRAWS = 64
"""Votes drawn for each problem."""


class WrongAnswers:
    """How often each wrong answer of a problem is given, among its wrong completions.

    What a sample has not shown yet is estimated by its answers that were given once (Good 1953, Turing's
    estimate). Every unseen answer counts as another one. Completions without an answer cast no vote.
    """

    def __init__(self, chances: Float[np.ndarray, "P A"], blank: Float[np.ndarray, " P"]) -> None:
        self.chances, self.blank = chances, blank
        """Of each seen answer, and of none. What is missing to 1 are answers not seen yet."""

    @classmethod
    def from_records(cls, rows: pl.DataFrame, problems: list[str]) -> Self | None:
        """Of graded completions of one problem set, in the order of `problems`; None without any answer."""
        if not rows["answer"].is_not_null().any():
            return None
        wrong = rows.filter(~pl.col("correct"))
        counted = wrong.group_by("problem_id", "answer").agg(n=pl.len())
        votes: dict[str, list[int]] = {name: [] for name in problems}
        blanks = dict.fromkeys(problems, 0.0)
        for problem, answer, n in counted.select("problem_id", "answer", "n").iter_rows():
            if answer is None:
                blanks[problem] += n
            else:
                votes[problem].append(n)
        chances = np.zeros((len(problems), max([1, *map(len, votes.values())])))
        blank = np.zeros(len(problems))
        for row, name in enumerate(problems):
            counts = np.array(sorted(votes[name], reverse=True), float)
            total = counts.sum() + blanks[name]
            if len(counts):
                seen = 1 - (counts == 1).sum() / counts.sum()
                chances[row, : len(counts)] = seen * counts / total
            blank[row] = blanks[name] / total if total else 0.0
        return cls(chances, blank)

    def rows(self, chosen: np.ndarray) -> Self:
        """Of some of the problems."""
        return type(self)(self.chances[chosen], self.blank[chosen])

    def maj_at_k(self, right: Float[np.ndarray, " P"], k: int) -> float:
        """Chance that the right answer has most of k votes, averaged over problems; a tie of m scores 1/m.

        `right`: chance of a right answer. The draws are the same at every call.
        """
        chance = np.clip(right, 0, 1)[:, None]
        others = np.concatenate([self.chances, self.blank[:, None]], axis=1)
        unseen = np.clip(1 - others.sum(1, keepdims=True), 0, 1)
        every = np.concatenate([chance, (1 - chance) * unseen, (1 - chance) * others], axis=1)
        votes = generator("forecast votes", k).multinomial(
            k, every / every.sum(1, keepdims=True), (DRAWS, len(every))
        )
        ours, lone, seen = votes[..., 0], votes[..., 1], votes[..., 2:-1]  # (R, P), (R, P), (R, P, A)
        wins = (ours > 0) & (ours >= seen.max(-1))
        tied = 1 + (seen == ours[..., None]).sum(-1) + np.where(ours == 1, lone, 0)
        return float(np.where(wins, 1 / tied, 0.0).mean())
