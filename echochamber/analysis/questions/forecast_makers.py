"""The forecasts themselves: final shares from the base's shares and accuracies alone."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from ...stats.forecast import (
    bandits,
    kl_optimum,
    naive_forecasts,
    replicator,
)
from ..completion_counts import matrices

SMALL_KL = 0.05
"""Weight at which the KL optimum is shown where the algorithm has none of its own: its limit of small c."""
FEWEST = 0.01
"""Share of the base's completions under which a format's accuracy is a matter of luck, and forecasts do not rank it (as in claim 9)."""
Forecast = Callable[[np.ndarray], np.ndarray]
"""Weights of the problems (P,) -> shares (F,)."""


class _Base:
    """Shares and accuracies of the base, per problem and pooled over weighted problems."""

    def __init__(
        self,
        table: pl.DataFrame,
        step: int,
        problems: Sequence[str],
        formats: Sequence[str],
        forced: np.ndarray | None = None,
    ) -> None:
        self.shares, own = matrices(table, step, problems, formats)
        self.forced = forced
        # An unmeasured accuracy on one problem takes what was measured there when the format was chosen.
        self.accuracies = own if forced is None else np.where(np.isnan(forced), own, forced)
        self.formats = list(formats)

    def pooled(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(F,) each; accuracy is NaN for a format that nobody wrote."""
        shares = _mean(self.shares, weights)
        # Self-chosen accuracies weigh a problem by how often the format was written there, forced ones do not.
        worth = self.shares if self.forced is None else (~np.isnan(self.accuracies)).astype(float)
        worth = worth * weights[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return shares, (worth * np.nan_to_num(self.accuracies)).sum(0) / worth.sum(0)

    def ranked(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`pooled`, with no accuracy for formats that the base hardly writes: one lucky completion would lead them all.

        A format that was forced has completions enough, however seldom it is chosen.
        """
        shares, accuracies = self.pooled(weights)
        hardly = shares < FEWEST
        if self.forced is not None:
            hardly &= np.isnan(self.forced).all(axis=0)
        return shares, np.where(hardly, np.nan, accuracies)


class _Null:
    """The bandit on formats alone: no function of the data, so each resample has a run of its own."""

    def __init__(self, base: _Base, steps: int, prompts: int, samples: int, rate: float) -> None:
        self.base, self.size = base, (steps, prompts, samples, rate)

    def runs(self, weights: np.ndarray) -> np.ndarray:
        """Final shares of one run per resample: weights (R, P) -> (R, F)."""
        pooled = [self.base.pooled(row) for row in weights]
        shares, accuracies = (np.array([pair[i] for pair in pooled]) for i in (0, 1))
        return bandits(shares, accuracies, *self.size, seed=0)[-1]


def _makers(
    base: _Base, last: int, kl_weight: float | None, size: tuple[int, int, float], suffix: str
) -> dict[str, Forecast | _Null]:
    weight = kl_weight if kl_weight is not None else SMALL_KL
    name = f"KL optimum, weight {weight:g}" if kl_weight is not None else "KL optimum, limit of small weight"
    whole = np.ones(len(base.shares))
    optimum = np.array(
        [kl_optimum(base.shares[[i]], base.accuracies[[i]], weight) for i in range(len(whole))]
    )
    makers: dict[str, Forecast | _Null] = {
        name + suffix: lambda w: _mean(optimum, w),
        "replicator flow, end" + suffix: lambda w: replicator(*base.ranked(w), 1e3),
        "bandit on formats alone (null model)" + suffix: _Null(base, last, *size),
        "most accurate at base" + suffix: lambda w: naive_forecasts(*base.ranked(w), 0)["most accurate"],
    }
    if not suffix:
        makers["most frequent at base"] = lambda w: naive_forecasts(*base.pooled(w), 0)["most frequent"]
        makers[f"always {base.formats[0]}"] = lambda w: np.eye(len(base.formats))[0]
    return makers


def _mean(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ rows / weights.sum()
