"""From one estimate per pretraining seed to an interval and a verdict on one criterion."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from ..stats.intervals import t_cdf, t_interval, t_quantile
from .declare import Rule, Seeds

Judgement = Literal["supported", "contradicted", "inconclusive", "not testable here"]
ALPHA = 0.05
FEWEST_SEEDS = 3
"""Fewer seeds carry no verdict."""
MOST_SEEDS = 100
"""Beyond this many the effect is called equal to the margin."""


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with Student's 95% interval, compared with a margin.

    `p_supported` is the smallest alpha whose 1 - alpha interval lies entirely on the claimed side of the
    margin. `p_contradicted` is the same for the opposite side. Both are 1 with too few seeds.
    """

    seeds: Seeds
    rule: Rule
    margin: float
    mean: float
    low: float
    high: float
    p_supported: float
    p_contradicted: float

    def verdict(self, p_supported: float | None = None, p_contradicted: float | None = None) -> Judgement:
        """By the interval, or by p-values adjusted for a family."""
        if (self.p_supported if p_supported is None else p_supported) <= ALPHA:
            return "supported"
        if (self.p_contradicted if p_contradicted is None else p_contradicted) <= ALPHA:
            return "contradicted"
        return "inconclusive"

    def seeds_needed(self, family: int = 1, reference: Seeds | None = None) -> int | None:
        """Seeds at which the interval would clear the margin if mean and spread stayed the same.

        None: more than `MOST_SEEDS`.
        `family` is the number of conditions that share the level. With `reference`, both conditions get as
        many seeds, until their intervals no longer overlap.
        """
        count = len(self.seeds)
        if count < 2:
            return FEWEST_SEEDS
        spread = float(np.std(list(self.seeds.values()), ddof=1))
        distance = min(abs(self.mean - bound) for bound in _bounds(self.rule, self.margin))
        if reference is not None:
            other = list(reference.values())
            spread, distance = spread + float(np.std(other, ddof=1)), abs(self.mean - float(np.mean(other)))
        for number in range(count + 1, MOST_SEEDS + 1):
            if (
                number >= FEWEST_SEEDS
                and t_quantile(1 - ALPHA / family / 2, number - 1) * spread / sqrt(number) < distance
            ):
                return number
        return None


def estimate(seeds: Seeds, rule: Rule, margin: float, opposite: float | None = None) -> Estimate:
    """Student's t over seeds; an interval that touches the margin does not clear it.

    `opposite` is the margin of contradiction, where it differs from that of support.
    """
    values = np.array(list(seeds.values()), dtype=float)
    mean = float(values.mean()) if values.size else float("nan")
    low, high = t_interval(values)
    enough = values.size >= FEWEST_SEEDS and bool(np.isfinite(values).all())
    supported, contradicted = (
        _p_values(values, rule, margin, margin if opposite is None else opposite) if enough else (1.0, 1.0)
    )
    return Estimate(dict(seeds), rule, margin, mean, low, high, supported, contradicted)


def _bounds(rule: Rule, margin: float) -> tuple[float, ...]:
    return (-margin, margin) if rule == "within" else (margin,)


def _p_values(values: np.ndarray, rule: Rule, margin: float, opposite: float) -> tuple[float, float]:
    """(supported, contradicted) as `Estimate` defines them."""
    error = float(values.std(ddof=1)) / sqrt(values.size)

    def past(distance: float) -> float:
        """Smallest alpha whose interval lies beyond a bound that the mean exceeds by `distance`."""
        if error < 1e-12:
            return 0.0 if distance > 1e-12 else 1.0
        return min(1.0, 2 * (1 - t_cdf(distance / error, values.size - 1)))

    mean = float(values.mean())
    if rule == "above":
        return past(mean - margin), past(opposite - mean)
    if rule == "below":
        return past(margin - mean), past(mean - opposite)
    return max(past(mean + margin), past(margin - mean)), min(past(mean - margin), past(-margin - mean))


def describe_seeds(found: Estimate, family: int = 1, reference: Seeds | None = None) -> str:
    """How many seeds would decide an inconclusive criterion (arguments as in `Estimate.seeds_needed`)."""
    needed = found.seeds_needed(family, reference)
    if len(found.seeds) < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {len(found.seeds)}"
    if needed is None:
        return f"more than {MOST_SEEDS} seeds: the effect is too close to the margin for its spread"
    of = " of either arm" if reference is not None else ""
    return f"about {needed} seeds{of}, if mean and spread stay as they are"
