"""Forecasts of the final format shares from the base's shares and accuracies alone."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from ...stats.forecast import Advantage, bandits, kl_optimum_by_problem, naive_forecasts, replicator
from ..completion_counts import matrices

SMALL_KL = 0.05
"""Weight at which the KL optimum is shown where the algorithm has none of its own: its limit of small c."""
FEWEST = 0.01
"""Share of the base's completions under which forecasts do not rank a format: its accuracy is too noisy."""
FLOW_TIME = 1e3
"""Time of the replicator flow that stands for its end."""
Forecast = Callable[[np.ndarray], np.ndarray]
"""Weights of the problems (..., P) -> shares (..., F)."""


class ForecastId(NamedTuple):
    """Which forecast, with which setting, from which accuracies."""

    forecast: str
    """observed, kl_optimum, replicator, bandit, most_accurate, most_frequent or constant."""
    setting: str = ""
    """The weight of the KL optimum (empty: its limit of small weights), or the constant's format."""
    accuracies: Literal["chosen", "forced"] = "chosen"
    """Measured where the base chose the format itself, or under forced decoding."""


class BaseFormats:
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
        """(..., F) each; accuracy is NaN for a format that nobody wrote."""
        shares = weighted_mean(self.shares, weights)
        # Chosen accuracies weigh a problem by how often the format was written there, forced ones do not.
        weight = self.shares if self.forced is None else (~np.isnan(self.accuracies)).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return shares, weights @ (weight * np.nan_to_num(self.accuracies)) / (weights @ weight)

    def ranked(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`pooled`, with no accuracy for formats that the base hardly writes.

        Otherwise one lucky completion could rank such a format first. A format that was forced has
        completions enough, however seldom it is chosen.
        """
        shares, accuracies = self.pooled(weights)
        hardly = shares < FEWEST
        if self.forced is not None:
            hardly &= np.isnan(self.forced).all(axis=0)
        return shares, np.where(hardly, np.nan, accuracies)


class BanditForecast:
    """The bandit on formats alone: no function of the data, so each resample has a run of its own."""

    def __init__(
        self, base: BaseFormats, steps: int, rollout: tuple[int, int, float], advantage: Advantage
    ) -> None:
        self.base, self.size, self.advantage = base, (steps, *rollout), advantage

    def runs(self, weights: np.ndarray) -> np.ndarray:
        """Final shares of one run per resample: weights (R, P) -> (R, F)."""
        shares, accuracies = self.base.pooled(weights)
        return _bandit_ends(shares.tobytes(), accuracies.tobytes(), shares.shape, self.size, self.advantage)


@lru_cache(maxsize=256)
def _bandit_ends(
    shares: bytes,
    accuracies: bytes,
    shape: tuple[int, int],
    size: tuple[int, int, int, float],
    advantage: Advantage,
) -> np.ndarray:
    """Final shares of `bandits`, computed once for all arms of one base that share their settings."""
    a, p = (np.frombuffer(each).reshape(shape) for each in (shares, accuracies))
    return bandits(a, p, *size, seed=0, advantage=advantage)[-1]


def forecasters(
    base: BaseFormats,
    steps: int,
    kl_weight: float | None,
    rollout: tuple[int, int, float],
    accuracies: Literal["chosen", "forced"] = "chosen",
    advantage: Advantage = "group_std",
) -> "dict[ForecastId, Forecast | BanditForecast]":
    """Every forecast from `base` for the shares after `steps` steps.

    `rollout`: prompts per step, samples per prompt, and the bandit's learning rate. `advantage`: how the
    algorithm compares rewards, for the bandit. The two forecasts that
    need no accuracies are made once, with those that the base chose itself.
    """
    weight = kl_weight if kl_weight is not None else SMALL_KL
    optimum = kl_optimum_by_problem(base.shares, base.accuracies, weight)
    setting = f"{weight:g}" if kl_weight is not None else ""
    made: dict[ForecastId, Forecast | BanditForecast] = {
        ForecastId("kl_optimum", setting, accuracies): lambda w: weighted_mean(optimum, w),
        ForecastId("replicator", "", accuracies): lambda w: replicator(*base.ranked(w), FLOW_TIME),
        ForecastId("bandit", "", accuracies): BanditForecast(base, steps, rollout, advantage),
        ForecastId("most_accurate", "", accuracies): lambda w: _naive(base.ranked(w), "most accurate"),
    }
    if accuracies == "chosen":
        constant = np.eye(len(base.formats))[0]
        made[ForecastId("most_frequent")] = lambda w: _naive(base.pooled(w), "most frequent")
        made[ForecastId("constant", base.formats[0])] = lambda w: np.tile(constant, (*w.shape[:-1], 1))
    return made


def _naive(known: tuple[np.ndarray, np.ndarray], pick: str) -> np.ndarray:
    return naive_forecasts(*known, 0)[pick]


def weighted_mean(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over problems: (P, F), (..., P) -> (..., F)."""
    return np.asarray(weights @ rows / weights.sum(axis=-1, keepdims=True))
