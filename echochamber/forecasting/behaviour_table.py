"""What a model does before RL, as counts: behaviours per problem, right answers, lengths.

Axes: P problems, F behaviours.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from ..core.errors import UserError
from ..core.formats import OTHER
from .sharpening import sharpening
from .votes import WrongAnswers

FEWEST_SAMPLES = 30
"""Completions of a behaviour under which nothing is forecast of it."""
MOST_VARIANTS = 64
_PRIOR_PROBLEMS = 1e6
"""Weight of the mean where problems do not differ by more than sampling explains."""


@dataclass(frozen=True)
class BehaviourTable:
    """Counts of sampled completions of a base, by problem and behaviour."""

    problems: tuple[str, ...]
    behaviours: tuple[str, ...]
    num: Float[np.ndarray, "P F"]
    """Graded completions. Fractions where a scenario divides a problem's completions evenly."""
    right: Float[np.ndarray, "P F"]
    tokens: Float[np.ndarray, "F 2"]
    """Mean length of wrong and of right completions, in tokens."""
    variants: Int[np.ndarray, " F"]
    """How many equally likely texts would repeat as often as a problem's right completions do."""
    sharpening: Float[np.ndarray, " F"]
    """How fast the log-odds of a right answer rise as answers become more certain; see `sharpening`."""
    wrong_answers: WrongAnswers | None = None
    """Of all behaviours together; None where completions have no answers to vote with."""

    @classmethod
    def from_records(cls, records: pl.DataFrame, problem_set: str) -> Self:
        """The table of sampled completions in `records` (columns as in `core.records`).

        Greedy and ungraded completions are left out. `UserError` where nothing is left.
        """
        wanted = (
            (pl.col("sample") >= 0)
            & (pl.col("outcome") != "infrastructure")
            & (pl.col("problem_set") == problem_set)
        )
        rows = records.filter(wanted)
        if not len(rows):
            raise UserError(f"{problem_set}: no graded completion, so there is nothing to forecast from")
        problems = sorted(rows["problem_id"].unique())
        names = [name for name in sorted(rows["format"].unique()) if name != OTHER]
        behaviours = [*names, OTHER] if OTHER in rows["format"] else names
        num, right = (np.zeros((len(problems), len(behaviours))) for _ in range(2))
        grouped = rows.group_by("problem_id", "format").agg(n=pl.len(), r=pl.col("correct").sum())
        row_of, column_of = ({name: i for i, name in enumerate(names)} for names in (problems, behaviours))
        for problem, name, n, r in grouped.select("problem_id", "format", "n", "r").iter_rows():
            num[row_of[problem], column_of[name]], right[row_of[problem], column_of[name]] = n, r
        parts = [rows.filter(pl.col("format") == name) for name in behaviours]
        return cls(
            tuple(problems),
            tuple(behaviours),
            num,
            right,
            np.array([_lengths(part) for part in parts]),
            np.array([_variants(part) for part in parts]),
            np.array([sharpening(part) for part in parts]),
            WrongAnswers.from_records(rows, problems),
        )

    @property
    def shares(self) -> Float[np.ndarray, " F"]:
        """Share of each behaviour among all completions."""
        return np.asarray(self.num.sum(0) / self.num.sum())

    @property
    def accuracies(self) -> Float[np.ndarray, " F"]:
        """Accuracy of each behaviour over its own completions."""
        return np.asarray(self.right.sum(0) / np.maximum(self.num.sum(0), 1))

    def forecastable(self) -> Self:
        """The table of behaviours with `FEWEST_SAMPLES` completions or more, and of their problems."""
        kept = np.flatnonzero(self.num.sum(0) >= FEWEST_SAMPLES)
        rows = np.flatnonzero(self.num[:, kept].sum(1) > 0)
        return replace(
            self,
            problems=tuple(self.problems[i] for i in rows),
            behaviours=tuple(self.behaviours[i] for i in kept),
            num=self.num[np.ix_(rows, kept)],
            right=self.right[np.ix_(rows, kept)],
            tokens=self.tokens[kept],
            variants=self.variants[kept],
            sharpening=self.sharpening[kept],
            wrong_answers=None if self.wrong_answers is None else self.wrong_answers.rows(rows),
        )

    def draw(self, stream: np.random.Generator) -> tuple[Float[np.ndarray, "P F"], Float[np.ndarray, "P F"]]:
        """Shares and accuracies per problem that the counts allow: one draw of the posterior.

        Shares are Dirichlet around their mean over problems, accuracies Beta around the behaviour's mean.
        How strongly a problem is drawn to the mean follows from how much problems differ (moments). So
        one sample per problem does not turn into problems that are always or never solved.
        """
        resampled = stream.multinomial(len(self.num), np.full(len(self.num), 1 / len(self.num)))
        num, right = self.num * resampled[:, None], self.right * resampled[:, None]
        mean = (num.sum(0) + 0.5) / (num.sum() + 0.5 * num.shape[1])
        weight = _prior_weight(self.num, self.num.sum(1, keepdims=True))
        gamma = stream.standard_gamma(self.num + np.maximum(weight * mean, 1e-3))
        shares = np.maximum(gamma / gamma.sum(1, keepdims=True), 1e-6)
        accuracy = (right.sum(0) + 0.5) / (num.sum(0) + 1.0)
        prior = np.array(
            [_prior_weight(r[:, None], n[:, None]) for r, n in zip(self.right.T, self.num.T, strict=True)]
        )
        found = stream.beta(self.right + prior * accuracy, self.num - self.right + prior * (1 - accuracy))
        return shares / shares.sum(1, keepdims=True), np.clip(found, 1e-4, 1 - 1e-4)


def _prior_weight(counts: np.ndarray, totals: np.ndarray) -> float:
    """Pseudo-counts of the mean in a beta-binomial (or Dirichlet-multinomial), by moments.

    `counts` (P, F), `totals` (P, 1). Large where problems differ no more than sampling explains.
    """
    known = totals[:, 0] > 1
    if known.sum() < 2:
        return 2.0
    n = totals[known].astype(float)
    share = counts[known] / n
    mean = counts[known].sum(0) / n.sum()
    expected = (mean * (1 - mean)).sum()
    if expected <= 0:
        return 2.0
    between = ((share - mean) ** 2).sum(1).mean() / expected
    sampling = float((1 / n).mean())
    # var(share) = p(1-p) (rho + (1-rho)/n), and rho = 1 / (1 + weight).
    rho = (between - sampling) / (1 - sampling)
    return (
        float(np.clip(1 / rho - 1, 0.05, _PRIOR_PROBLEMS)) if rho > 1 / _PRIOR_PROBLEMS else _PRIOR_PROBLEMS
    )


def _lengths(rows: pl.DataFrame) -> tuple[float, float]:
    """Mean tokens of wrong and of right completions; one stands in for the other where it has none."""
    means = [rows.filter(pl.col("correct") == right)["num_tokens"].mean() for right in (False, True)]
    known = [float(mean) for mean in means if isinstance(mean, float)]  # None where there is no row
    wrong, right = (float(mean) if isinstance(mean, float) else known[0] for mean in means)
    return wrong, right


def _variants(rows: pl.DataFrame) -> int:
    """1 / (chance that two right completions of a problem are equal), between 1 and `MOST_VARIANTS`."""
    texts = rows.filter(pl.col("correct")).group_by("problem_id", "text").agg(n=pl.len())
    pairs = texts.group_by("problem_id").agg(
        all=pl.col("n").sum() * (pl.col("n").sum() - 1), equal=(pl.col("n") * (pl.col("n") - 1)).sum()
    )
    everything, equal = int(pairs["all"].sum()), int(pairs["equal"].sum())
    return MOST_VARIANTS if not equal else int(np.clip(round(everything / equal), 1, MOST_VARIANTS))
