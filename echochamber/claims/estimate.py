"""From one estimate per pretraining seed to an interval and a verdict on one criterion."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Literal

import numpy as np

from ..stats.intervals import (
    UNKNOWN,
    Interval,
    clopper_pearson,
    share_interval,
    t_cdf,
    t_interval,
    t_quantile,
)
from .declare import Rule, Scale, Seeds

Judgement = Literal["supported", "contradicted", "inconclusive", "premise not met", "not testable here"]
Side = Literal["claimed", "opposite"]
SIDES: tuple[Side, Side] = ("claimed", "opposite")
"""Of the margin."""
ALPHA = 0.05
FEWEST_SEEDS = 3
"""Fewer seeds carry no verdict."""
SAME = 1e-12
"""Estimates that differ by less are equal; their interval has no width."""
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
    scale: Scale = "difference"

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
        if self.scale == "yes_no":
            return self._yes_no_seeds_needed(ALPHA / family)
        spread = float(np.std(list(self.seeds.values()), ddof=1))
        distance = min(abs(self.mean - bound) for bound in _bounds(self.rule, self.margin))
        if reference is not None:
            other = list(reference.values())
            spread, distance = spread + float(np.std(other, ddof=1)), abs(self.mean - float(np.mean(other)))
        numbers = range(max(count + 1, FEWEST_SEEDS), MOST_SEEDS + 1)

        def clears(number: int) -> bool:
            """Whether half an interval's width is below the distance: from some number on, always."""
            return t_quantile(1 - ALPHA / family / 2, number - 1) * spread / sqrt(number) < distance

        first = bisect_left(numbers, True, key=clears)
        return numbers[first] if first < len(numbers) else None

    def _yes_no_seeds_needed(self, alpha: float) -> int | None:
        """Seeds at which the exact interval would clear the margin if the share of yes stayed the same."""
        for number in range(max(len(self.seeds) + 1, FEWEST_SEEDS), MOST_SEEDS + 1):
            low, high = clopper_pearson(round(self.mean * number), number, 1 - alpha)
            if any(low > bound or high < bound for bound in _bounds(self.rule, self.margin)):
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


def interval_of(values: Sequence[float], scale: Scale, level: float = 0.95) -> Interval:
    """The interval of version 2 of the rules: Student's t, within [0, 1] for shares, exact for yes or no.

    (NaN, NaN) where the seeds' values do not differ and so show no spread. A criterion of equivalence or of a
    permutation test shows Student's interval, too.
    """
    if scale == "yes_no":
        if not set(values) <= {0.0, 1.0}:
            raise ValueError(
                f"estimates of a criterion on yes or no are {sorted(set(values))}, expected 0 and 1"
            )
        return clopper_pearson(round(sum(values)), len(values), level)
    if len(values) < 2 or np.ptp(values) < SAME:
        return UNKNOWN
    return share_interval(values, level) if scale == "share" else t_interval(values, level)


def estimate_on_scale(
    seeds: Seeds, rule: Rule, margin: float, opposite: float | None = None, scale: Scale = "difference"
) -> Estimate:
    """`estimate` by version 2 of the rules: `interval_of` decides; seeds without a spread decide nothing."""
    values = [float(value) for value in seeds.values()]
    mean = float(np.mean(values)) if values else float("nan")
    low, high = interval_of(values, scale) if values else UNKNOWN
    bounds = margin, margin if opposite is None else opposite
    supported, contradicted = 1.0, 1.0
    if len(values) >= FEWEST_SEEDS and np.isfinite([low, high, *bounds]).all():

        def clears(side: Side, level: float) -> bool:
            return _clears(rule, *interval_of(values, scale, level), bounds, side)

        supported, contradicted = (_smallest_alpha(partial(clears, side)) for side in SIDES)
        if scale == "equivalence":
            # Two one-sided tests at alpha are the two-sided interval of level 1 - 2 alpha (Schuirmann 1987).
            supported /= 2
    return Estimate(dict(seeds), rule, margin, mean, low, high, supported, contradicted, scale)


def _clears(rule: Rule, low: float, high: float, bounds: tuple[float, float], side: Side) -> bool:
    """Whether the whole interval lies past the margin, on the claimed side or on the other."""
    margin, opposite = bounds
    if rule == "within":
        return -margin < low and high < margin if side == "claimed" else low > margin or high < -margin
    above = (rule == "above") == (side == "claimed")
    bound = margin if side == "claimed" else opposite
    return low > bound if above else high < bound


def _smallest_alpha(clears: Callable[[float], bool]) -> float:
    """The smallest alpha whose 1 - alpha interval clears the margin, by bisection; 1 where none does."""
    low, high = 0.0, 1.0
    if not clears(1e-9):
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if clears(1 - middle) else (middle, high)
    return high


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
    if np.isnan(found.low) and len(found.seeds) >= FEWEST_SEEDS:
        return f"seeds that differ: all {len(found.seeds)} have the same value, so nothing shows their spread"
    needed = found.seeds_needed(family, reference)
    if len(found.seeds) < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {len(found.seeds)}"
    if needed is None:
        return f"more than {MOST_SEEDS} seeds: the effect is too close to the margin for its spread"
    of = " of either arm" if reference is not None else ""
    return f"about {needed} seeds{of}, if mean and spread stay as they are"
