"""Analysis 3, forecasts: the final shares foretold from the base, scored, beside naive baselines."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ...stats.bootstrap import problem_weights, resampled_interval
from ...stats.forecast import bandits, brier, kl_optimum, naive_forecasts, replicator, total_variation
from .common import matrices, shared_problems

SMALL_KL = 0.05
"""Weight at which the KL optimum is shown where the algorithm has none of its own: its limit of small c."""
RESAMPLES = 200
SCORES = ("share", "total_variation", "brier")
SCHEMA: dict[str, Any] = {"forecast": pl.String, "winner": pl.String, "hit": pl.Boolean} | dict.fromkeys(
    [f"{score}{bound}" for score in SCORES for bound in ("", "_low", "_high")], pl.Float64
)
FEWEST = 0.01
"""Share of the base's completions under which a format's accuracy is a matter of luck, and forecasts do not rank it (as in claim 9)."""
Forecast = Callable[[np.ndarray], np.ndarray]
"""Weights of the problems (P,) -> shares (F,)."""
POINT_MASS = 1 - 1e-9
"""A forecast's share above which it is certain by construction: no data could move it."""


def forecast_table(
    table: pl.DataFrame,
    last: int,
    formats: Sequence[str],
    kl_weight: float | None,
    prompts_per_step: int = 32,
    samples_per_prompt: int = 8,
    bandit_rate: float = 1.0,
    bandit_seeds: int = 100,
    forced: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Forecasts of the shares at step `last` from `common.counts` of the base and of that step.

    Columns: forecast, winner, hit, and share (of that winner), total_variation, brier, each with _low and
    _high from a bootstrap by problem. `kl_weight` is the weight the algorithm really optimises
    (`stats.forecast.effective_kl_weight`); None shows the limit of small weights instead and says so in
    the name. Accuracies are those of the formats that the base chose itself; with `forced`
    (`common.forced_counts`) each forecast is made a second time from accuracies under forced decoding.
    The replicator flow and the most accurate format leave out those under `FEWEST` of the base's completions.
    The bandit is the mean of `bandit_seeds` runs of `last` steps, each on its own resample. A forecast that
    puts everything on one format in every resample has no interval of its share: it is 1 by construction.
    """
    problems = shared_problems(table, [0, last])
    if not problems or last == 0:
        return pl.DataFrame(schema=SCHEMA)
    base, final = _Base(table, 0, problems, formats), matrices(table, last, problems, formats)[0]
    weights = problem_weights(len(problems), 0, RESAMPLES).astype(float)
    makers = _makers(base, last, kl_weight, (prompts_per_step, samples_per_prompt, bandit_rate), "")
    if forced is not None and len(forced.filter(pl.col("step") == 0)):
        other = _Base(table, 0, problems, formats, matrices(forced, 0, problems, formats)[1])
        makers |= _makers(
            other,
            last,
            kl_weight,
            (prompts_per_step, samples_per_prompt, bandit_rate),
            ", accuracies when forced",
        )
    rows = [_scored("what happened", lambda w: _mean(final, w), final, weights, formats)]
    for name, maker in makers.items():
        rows.append(
            _scored(
                name, maker, final, weights[:bandit_seeds] if isinstance(maker, _Null) else weights, formats
            )
        )
    return pl.DataFrame(rows, schema=SCHEMA)


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


def _scored(
    label: str, maker: Forecast | _Null, final: np.ndarray, weights: np.ndarray, formats: Sequence[str]
) -> dict[str, object]:
    """Scores on all problems with intervals; the null model's forecast is the mean of its runs."""
    drawn = list(maker.runs(weights)) if isinstance(maker, _Null) else [maker(w) for w in weights]
    ends = [_mean(final, w) for w in weights]
    forecast = np.mean(drawn, axis=0) if isinstance(maker, _Null) else maker(np.ones(len(final)))
    end = final.mean(axis=0)
    winner = int(forecast.argmax())

    def share(forecast: ArrayLike, _: ArrayLike) -> float:
        return float(np.asarray(forecast)[winner])

    score = {"share": share, "total_variation": total_variation, "brier": brier}
    row: dict[str, object] = {
        "forecast": label,
        "winner": formats[winner],
        "hit": winner == int(end.argmax()),
    }
    for name in SCORES:
        low, high = resampled_interval(
            [score[name](f, e) for f, e in zip(drawn, ends, strict=True)], len(final)
        )
        value = score[name](forecast, end)
        row |= {
            name: value,
            f"{name}_low": min(low, value) if np.isfinite(low) else None,
            f"{name}_high": max(high, value) if np.isfinite(high) else None,
        }
    if label != "what happened" and all(f[winner] > POINT_MASS for f in drawn):
        row |= {"share_low": None, "share_high": None}
    return row
