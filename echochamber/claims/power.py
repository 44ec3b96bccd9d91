"""How many seeds an undecided criterion would need to be decided with a power of 80%."""

from math import comb, sqrt

import numpy as np

from ..stats.intervals import clopper_pearson, t_quantile
from .declare import Seeds
from .estimate import ALPHA, FEWEST_SEEDS, MOST_SEEDS, Estimate, interval_of

POWER = 0.8


def seeds_for_power(found: Estimate, family: int = 1, reference: Seeds | None = None) -> int | None:
    """Fewest seeds at which the criterion is decided in 80% of repetitions, if mean and spread stay the same.

    None: more than `MOST_SEEDS`. `family`: conditions that share the level. With `reference` both conditions
    get as many seeds. For means the usual approximation (Julious 2004, Statistics in Medicine 23): (t of the
    level + t of the power) x standard error is the distance to the margin.
    """
    alpha = ALPHA / family
    values = list(found.seeds.values())
    if len(values) < 2:
        return FEWEST_SEEDS
    if found.scale == "yes_no":
        return _yes_no(float(np.mean(values)), len(values), found.margin, alpha)
    if found.rule == "within":
        inside = abs(found.mean) < found.margin
        distance = found.margin - abs(found.mean) if inside else abs(found.mean) - found.margin
        alpha *= 2 if found.scale == "equivalence" and inside else 1
    else:
        distance = abs(found.mean - found.margin)
    spread = float(np.std(values, ddof=1))
    if reference is not None:
        other = list(reference.values())
        spread, distance = spread + float(np.std(other, ddof=1)), abs(found.mean - float(np.mean(other)))
    for number in range(FEWEST_SEEDS, MOST_SEEDS + 1):
        needed = t_quantile(1 - alpha / 2, number - 1) + t_quantile(POWER, number - 1)
        if needed * spread / sqrt(number) < distance:
            return number
    return None


def _yes_no(share: float, count: int, margin: float, alpha: float) -> int | None:
    """By the binomial distribution at the observed share, drawn towards 1/2 by one seed of either kind."""
    rate = (share * count + 1) / (count + 2)
    for number in range(FEWEST_SEEDS, MOST_SEEDS + 1):
        ends = [clopper_pearson(yes, number, 1 - alpha) for yes in range(number + 1)]
        decided = [yes for yes, (low, high) in enumerate(ends) if low > margin or high < margin]
        if sum(comb(number, yes) * rate**yes * (1 - rate) ** (number - yes) for yes in decided) >= POWER:
            return number
    return None


def describe_power(found: Estimate, family: int = 1, reference: Seeds | None = None) -> str:
    """What would decide an inconclusive criterion, in words (arguments as in `seeds_for_power`)."""
    count = len(found.seeds)
    if count < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {count}"
    if found.scale == "permutation":
        return "more seeds or arms: a test by permutation has no margin to compute their number from"
    if np.isnan(interval_of(list(found.seeds.values()), found.scale)[0]):
        return f"seeds that differ: all {count} have the same value, so nothing shows their spread"
    needed = seeds_for_power(found, family, reference)
    if needed is None:
        return f"more than {MOST_SEEDS} seeds: the effect is too close to the margin for its spread"
    of = " of either arm" if reference is not None else ""
    return f"about {needed} seeds{of} for a power of 80%, if mean and spread stay as they are"
