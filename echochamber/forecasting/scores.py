"""How good forecasts were: scores of the winner, calibration, coverage, each with an interval by base.

Axes: N forecasts of runs, B bases. A forecast is a probability for each behaviour of its run. Runs differ in
how many behaviours they have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-3
"""Least probability of the log score, since 0 would cost infinitely much. The score is proper above it."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Scored:
    """One forecast beside what happened."""

    base: str
    """Runs of one base share everything that the base decided: intervals resample bases."""
    arm: str
    probabilities: Mapping[str, float]
    """Behaviour -> probability of the largest final share; they add up to 1."""
    winner: str

    @property
    def brier(self) -> float:
        """Squared distance from the outcome over all behaviours, in [0, 2] (Brier 1950).

        A winner that was not named had the probability 0.
        """
        named = sum((p - (name == self.winner)) ** 2 for name, p in self.probabilities.items())
        return named + (self.winner not in self.probabilities)

    @property
    def log_score(self) -> float:
        """Minus the log of the winner's probability, in nats."""
        return -float(np.log(max(self.probabilities.get(self.winner, 0.0), FLOOR)))

    @property
    def hit(self) -> bool:
        """Whether the likeliest behaviour won."""
        return max(self.probabilities, key=lambda name: self.probabilities[name]) == self.winner


@dataclass(frozen=True)
class Interval95:
    """An estimate with its 95% interval from a bootstrap over bases."""

    value: float
    low: float
    high: float


def by_base(
    bases: Sequence[str], statistic: Callable[[np.ndarray], float], resamples: int = RESAMPLES, seed: int = 0
) -> Interval95:
    """A statistic of row indices (N,), with percentiles over resampled bases."""
    names, of = np.unique(np.array(bases), return_inverse=True)
    rows = [np.flatnonzero(of == i) for i in range(len(names))]
    stream = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([rows[i] for i in stream.integers(len(names), size=len(names))]))
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval95(statistic(np.arange(len(of))), float(low), float(high))


def brier_ratio(ours: Sequence[Scored], other: Sequence[Scored]) -> Interval95:
    """Mean Brier score of one list over that of another, on the same runs; under 1: ours is better."""
    if [(a.base, a.arm) for a in ours] != [(b.base, b.arm) for b in other]:
        raise ValueError("the two lists are not forecasts of the same runs in the same order")
    first, second = (np.array([one.brier for one in part]) for part in (ours, other))
    return by_base([one.base for one in ours], lambda rows: float(first[rows].mean() / second[rows].mean()))


def reliability(scored: Sequence[Scored], bins: int = 10) -> float:
    """Reliability term of the Brier score's decomposition (Murphy 1973), over all behaviours of all runs.

    Mean squared distance of stated probability and observed rate over bins with equally many forecasts.
    """
    p, hit = _pairs(scored)
    return _reliability(p, hit, _bins(p, bins))


def reliability_band(
    scored: Sequence[Scored], bins: int = 10, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95% band of `reliability` for a forecaster whose probabilities are true, on the same probabilities.

    Winners are drawn run by run from the stated probabilities. Runs of one base are drawn independently.
    """
    stream = np.random.default_rng(seed)
    p, _ = _pairs(scored)
    group = _bins(p, bins)
    ends = np.cumsum([len(one.probabilities) for one in scored])[:-1]
    parts = np.split(p, ends)
    found = []
    for _ in range(draws):
        hit = np.concatenate([stream.multinomial(1, part / part.sum()) for part in parts])
        found.append(_reliability(p, hit.astype(float), group))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def calibration_curve(scored: Sequence[Scored], bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean stated probability, observed rate, forecasts) of each bin."""
    p, hit = _pairs(scored)
    group = _bins(p, bins)
    return [
        (float(p[group == i].mean()), float(hit[group == i].mean()), int((group == i).sum()))
        for i in range(int(group.max()) + 1)
        if (group == i).any()
    ]


def coverage(bases: Sequence[str], inside: Sequence[bool]) -> Interval95:
    """Share of outcomes inside their interval."""
    held = np.array(inside, dtype=float)
    return by_base(bases, lambda rows: float(held[rows].mean()))


def _pairs(scored: Sequence[Scored]) -> tuple[np.ndarray, np.ndarray]:
    """Probability and outcome of every behaviour of every run, run after run."""
    p = [value for one in scored for value in one.probabilities.values()]
    hit = [float(name == one.winner) for one in scored for name in one.probabilities]
    return np.array(p), np.array(hit)


def _bins(p: np.ndarray, bins: int) -> np.ndarray:
    """Bin of each probability: equally many in each, equal probabilities together."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, p, side="right")


def _reliability(p: np.ndarray, hit: np.ndarray, group: np.ndarray) -> float:
    total = 0.0
    for i in np.unique(group):
        rows = group == i
        total += rows.sum() * (p[rows].mean() - hit[rows].mean()) ** 2
    return float(total / len(p))
