"""Naive rules as probabilities: a rule's score of each behaviour, and one number fitted on other runs.

A rule that only names a winner would be scored as if it were certain. So every rule becomes a conditional
logit (McFadden 1974): behaviour f wins with probability proportional to exp(b x_f), where x_f is its score.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .behaviour_table import BehaviourTable

STEEPEST = 200.0
"""Largest b: a rule that was always right on few runs is not certain for ever."""


@dataclass(frozen=True)
class SeenRun:
    """The table of a run's base, and the behaviour with the largest share at the end."""

    table: BehaviourTable
    behaviours: tuple[str, ...]
    """Candidates, in the table's order and without completions of no known format."""
    winner: str

    def scores(self, rule: "RuleScore") -> np.ndarray:
        """(F,) scores of the candidates."""
        found = rule(self.table)
        return found[[self.table.behaviours.index(name) for name in self.behaviours]]


RuleScore = Callable[[BehaviourTable], np.ndarray]
"""Table -> (F,) score of each of its behaviours."""


def _log_share(table: BehaviourTable) -> np.ndarray:
    return np.asarray(np.log(np.maximum(table.shares, 1e-4)))


def _log_correct(table: BehaviourTable) -> np.ndarray:
    return np.asarray(np.log(np.maximum(table.shares * table.accuracies, 1e-5)))


RULES: Mapping[str, RuleScore] = {
    "most_frequent": _log_share,
    "most_accurate": lambda table: table.accuracies,
    "shortest": lambda table: -np.log(table.tokens.mean(1)),
    "most_frequent_correct": _log_correct,
}
"""Rule -> its score. Shares and lengths are in logarithms, so that b is a power of them."""


@dataclass(frozen=True)
class FittedRule:
    """A rule with its steepness."""

    name: str
    steepness: float

    def probabilities(self, run: SeenRun) -> dict[str, float]:
        """Behaviour -> probability that it wins."""
        found = _softmax(self.steepness * run.scores(RULES[self.name]))
        return dict(zip(run.behaviours, found.tolist(), strict=True))


def fit_rule(name: str, runs: Sequence[SeenRun]) -> FittedRule:
    """The steepness of greatest likelihood on `runs`, in [0, `STEEPEST`].

    The log-likelihood is concave in it, so golden-section search finds the maximum. Each run counts once.
    """
    if not runs:
        raise ValueError(f"rule {name}: no run to fit on")
    scores = [(run.scores(RULES[name]), run.behaviours.index(run.winner)) for run in runs]

    def loss(steepness: float) -> float:
        return -sum(_log_softmax(steepness * score, won) for score, won in scores)

    low, high, ratio = 0.0, STEEPEST, (np.sqrt(5) - 1) / 2
    for _ in range(80):
        first, second = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, second) if loss(first) < loss(second) else (first, high)
    return FittedRule(name, float((low + high) / 2))


def base_rate(runs: Sequence[SeenRun]) -> dict[int, list[float]]:
    """Number of behaviours -> rate at which the one of each frequency rank won, with one pseudo-count a rank.

    What "cannot say" is scored as.
    """
    counts: dict[int, np.ndarray] = {}
    for run in runs:
        order = np.argsort(-run.scores(_log_share), kind="stable")
        rank = int(np.flatnonzero(order == run.behaviours.index(run.winner))[0])
        counts.setdefault(len(order), np.ones(len(order)))[rank] += 1
    return {size: (count / count.sum()).tolist() for size, count in counts.items()}


def base_rate_probabilities(run: SeenRun, rates: Mapping[int, Sequence[float]]) -> dict[str, float]:
    """Behaviour -> its rank's rate; equal parts where no run had as many behaviours."""
    size = len(run.behaviours)
    order = np.argsort(-run.scores(_log_share), kind="stable")
    rate = rates.get(size, [1 / size] * size)
    return {run.behaviours[i]: float(rate[rank]) for rank, i in enumerate(order)}


def _log_softmax(x: np.ndarray, at: int) -> float:
    """Without a floor: one would make the likelihood flat where a rule is far off, and mislead the search."""
    shifted = x - x.max()
    return float(shifted[at] - np.log(np.exp(shifted).sum()))


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max())
    return np.asarray(powers / powers.sum())
