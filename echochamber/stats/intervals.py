"""Closed-form intervals: Wilson for one completion per problem, Student t over seeds."""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log, nan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, float]
UNKNOWN: Interval = (nan, nan)
"""What is returned where nothing can be estimated."""


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Score interval of a proportion of independent trials; (NaN, NaN) without a trial.

    Wilson 1927, without continuity correction. Only for one completion per problem: completions of
    one problem are not independent trials (see `bootstrap`).
    """
    if trials <= 0:
        return UNKNOWN
    return _wilson(successes / trials, trials, NormalDist().inv_cdf((1 + level) / 2))


def _wilson(share: float, trials: float, quantile: float) -> Interval:
    z2 = quantile**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    # Rounding must not push the bound past a share of exactly 0 or 1.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def score_interval(share: float, variance: float, units: int, level: float = 0.95) -> Interval:
    """Wilson's interval for a share whose estimate has a measured `variance` over `units` independent units.

    The completions count as share (1 - share) / variance trials (Kish's effective sample size), and
    the normal quantile becomes Student's with units - 1 degrees of freedom; both ends stay in
    [0, 1]. Without any spread the units themselves are the trials. Holds its level near 0 and 1,
    where symmetric intervals do not (docs/statistics.md).
    """
    if units < 2:
        return UNKNOWN
    trials = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(units)
    return _wilson(share, trials, t_quantile((1 + level) / 2, units - 1))


def share_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Interval of the mean of shares, one per seed: `t_interval`, or `score_interval` near the ends.

    Outside [0.1, 0.9] the sampling distribution is skewed and Student's symmetric interval covers
    too rarely; see docs/statistics.md for both, simulated.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size < 2 or not np.all(np.isfinite(sample)):
        return UNKNOWN
    mean, variance = float(sample.mean()), float(sample.var(ddof=1)) / sample.size
    return (
        t_interval(sample, level)
        if 0.1 <= mean <= 0.9
        else score_interval(mean, variance, sample.size, level)
    )


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Interval of the mean of independent estimates, one per seed; (NaN, NaN) for fewer than two.

    mean +- t_{n-1} s / sqrt(n), Student 1908. NaN entries make the whole not estimable: a seed that
    is missing is for the caller to drop in plain sight.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size < 2 or not np.all(np.isfinite(sample)):
        return UNKNOWN
    half = t_quantile((1 + level) / 2, sample.size - 1) * float(sample.std(ddof=1)) / sqrt(sample.size)
    return float(sample.mean()) - half, float(sample.mean()) + half


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Exact interval of a proportion of independent trials (Clopper and Pearson 1934); NaN without one."""
    if trials <= 0:
        return UNKNOWN
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else _beta_quantile(tail, successes, trials - successes + 1)
    high = 1.0 if successes == trials else _beta_quantile(1 - tail, successes + 1, trials - successes)
    return low, high


def _beta_quantile(probability: float, a: float, b: float) -> float:
    """Inverse of I_x(a, b) by bisection, to about 1e-13."""
    low, high = 0.0, 1.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (middle, high) if _incomplete_beta(a, b, middle) < probability else (low, middle)
    return (low + high) / 2


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Step-down adjusted p-values in the order given (Holm 1979); reject where <= alpha."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def t_cdf(value: float, degrees: float) -> float:
    """P(T <= value) of Student's t, by the regularised incomplete beta function."""
    tail = 0.5 * _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + value * value))
    return 1 - tail if value > 0 else tail


@lru_cache(maxsize=1024)
def t_quantile(probability: float, degrees: float) -> float:
    """Inverse of `t_cdf` by bisection, to about 1e-12."""
    assert 0 < probability < 1, f"probability is {probability}, expected within (0, 1)"
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while t_cdf(high, degrees) < probability:
        high *= 2
    while high - low > 1e-13 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) by Lentz's continued fraction (Numerical Recipes, section 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + term / c, 1 / (1 + term * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction
