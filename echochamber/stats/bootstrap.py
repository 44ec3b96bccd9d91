"""Bootstrap by problem: completions of one problem are alike, so whole problems are resampled."""

from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from ..core.random import generator
from .intervals import UNKNOWN, Interval, score_interval, t_quantile, wilson

RESAMPLES = 2000
NEAR_END = 0.05
"""Within this of 0 or 1 a share gets `score_interval` instead of percentiles."""


@lru_cache(maxsize=8)
def problem_weights(num_problems: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """(R, P) how often each problem is drawn in each resample; a pure function of its arguments, read-only.

    Cached: a page asks for the same few weights thousands of times.
    """
    assert num_problems >= 1
    stream = generator("bootstrap by problem", seed, num_problems)
    weights = stream.multinomial(num_problems, np.full(num_problems, 1 / num_problems), size=resamples)
    weights.flags.writeable = False
    return weights


def ratio_interval(
    weights: np.ndarray, numerators: ArrayLike, denominators: ArrayLike, level: float = 0.95
) -> Interval:
    """Percentile interval of sum(numerators) / sum(denominators), a share, over resampled problems.

    Shapes: weights (R, P), numerators and denominators (P,). The percentiles are widened so that a
    mean of P problems gets Student's quantile and the factor sqrt(P / (P - 1)) (Hesterberg 2015,
    "What teachers should know about the bootstrap", section 5.3). Resampling sees too few of the
    rare problems where the share is under 0.05 or over 0.95 (and none at 0 or 1); there it is
    `score_interval` with the variance between problems.
    """
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    units = int((bottom > 0).sum())
    if units < 2 or not np.all(np.isfinite(top)):
        return UNKNOWN
    share = float(top.sum() / bottom.sum())
    if not NEAR_END <= share <= 1 - NEAR_END:
        residuals = (top - share * bottom)[bottom > 0]
        variance = float((residuals**2).sum()) * units / (units - 1) / float(bottom.sum()) ** 2
        return score_interval(share, variance, units, level)
    drawn = weights @ bottom
    estimates = (weights @ top)[drawn > 0] / drawn[drawn > 0]
    tail = _widened_tail(units, level)
    return _percentile(estimates, tail), _percentile(estimates, 1 - tail)


def mean_interval(weights: np.ndarray, values: ArrayLike, level: float = 0.95) -> Interval:
    """`ratio_interval` of a plain mean over problems; values (P,) within [0, 1]."""
    sample = np.asarray(values, dtype=float)
    return ratio_interval(weights, sample, np.ones(sample.size), level)


def paired_interval(
    weights: np.ndarray, before: ArrayLike, after: ArrayLike, level: float = 0.95
) -> Interval:
    """Interval of mean(after - before) on the same problems, each problem its own control.

    Shapes: weights (R, P), before and after (P,). Without any change at all the interval is that of
    a change in none of P problems, by Wilson, to both sides.
    """
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    if change.size < 2 or not np.all(np.isfinite(change)):
        return UNKNOWN
    if np.all(change == 0):
        bound = wilson(0, change.size, level)[1]
        return -bound, bound
    return resampled_interval(weights @ change / change.size, change.size, level)


def resampled_interval(drawn: ArrayLike, units: int, level: float = 0.95) -> Interval:
    """Percentiles, widened as in `ratio_interval`, of a statistic computed on every resample.

    Shapes: drawn (R,). `units` is the number of problems.
    """
    values = np.asarray(drawn, dtype=float)
    if units < 2 or not np.all(np.isfinite(values)):
        return UNKNOWN
    tail = _widened_tail(units, level)
    return _percentile(values, tail), _percentile(values, 1 - tail)


def _percentile(values: np.ndarray, level: float) -> float:
    """`np.quantile` of finite values, to the bit, in less time: a page asks a hundred times a run."""
    if values.size < 2:
        return float(np.quantile(values, level))
    place = (values.size - 1) * level
    below = min(int(place), values.size - 2)
    part, ordered = place - below, np.partition(values, (below, below + 1))
    low, high = float(ordered[below]), float(ordered[below + 1])
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part


def _widened_tail(count: int, level: float) -> float:
    """Tail probability at which a percentile interval of `count` clusters has Student's width."""
    quantile = t_quantile((1 + level) / 2, count - 1) * sqrt(count / (count - 1))
    return NormalDist().cdf(-quantile)
