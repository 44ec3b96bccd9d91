"""Analysis 3, forecasts: the final shares foretold from the base, scored, beside naive baselines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.forecast import bandit, brier, kl_optimum, naive_forecasts, replicator, total_variation
from .common import matrices, shared_problems

SMALL_KL = 0.05
"""Weight at which the KL optimum is shown where the algorithm has none of its own: its limit of small c."""


def forecast_table(
    table: pl.DataFrame,
    last: int,
    formats: Sequence[str],
    kl_weight: float | None,
    prompts_per_step: int = 32,
    samples_per_prompt: int = 8,
    bandit_rate: float = 1.0,
    bandit_seeds: int = 20,
) -> pl.DataFrame:
    """Forecasts of the shares at step `last` from `common.counts` of the base and of that step.

    Columns: forecast, winner, share (of that winner), brier, total_variation, hit. `kl_weight` is
    the weight the algorithm really optimises (`stats.forecast.effective_kl_weight`); None shows the
    limit of small weights instead and says so in the name. Accuracies are those of the formats that
    the base chose itself. The bandit is the mean of `bandit_seeds` runs of `last` steps.
    """
    schema: dict[str, Any] = {
        "forecast": pl.String,
        "winner": pl.String,
        "share": pl.Float64,
        "brier": pl.Float64,
        "total_variation": pl.Float64,
        "hit": pl.Boolean,
    }
    problems = shared_problems(table, [0, last])
    if not problems or last == 0:
        return pl.DataFrame(schema=schema)
    shares, accuracies = matrices(table, 0, problems, formats)
    final = matrices(table, last, problems, formats)[0].mean(axis=0)
    pooled, accuracy = _pooled(table, formats)
    weight = kl_weight if kl_weight is not None else SMALL_KL
    name = f"KL optimum, weight {weight:g}" if kl_weight is not None else "KL optimum, limit of small weight"
    paths = [
        bandit(pooled, accuracy, last, prompts_per_step, samples_per_prompt, bandit_rate, seed)[-1]
        for seed in range(bandit_seeds)
    ]
    forecasts = {
        name: kl_optimum(shares, accuracies, weight),
        "replicator flow, end": replicator(pooled, accuracy, 1e3),
        "bandit on formats alone (null model)": np.mean(paths, axis=0),
    }
    forecasts |= {
        f"{label} at base": f
        for label, f in naive_forecasts(pooled, accuracy, 0).items()
        if label != "constant"
    }
    forecasts[f"always {formats[0]}"] = np.eye(len(formats))[0]
    rows = [_scored(label, forecast, final, formats) for label, forecast in forecasts.items()]
    return pl.DataFrame([_scored("what happened", final, final, formats), *rows], schema=schema)


def _pooled(table: pl.DataFrame, formats: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Shares and accuracies of the base over all its completions: (F,) each, NaN where unwritten."""
    base = (
        table.filter(pl.col("step") == 0).group_by("format").agg(pl.col("num").sum(), pl.col("right").sum())
    )
    cells = {name: (num, right) for name, num, right in base.select("format", "num", "right").rows()}
    num = np.array([cells.get(name, (0, 0))[0] for name in formats], dtype=float)
    right = np.array([cells.get(name, (0, 0))[1] for name in formats], dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return num / num.sum(), right / num


def _scored(label: str, forecast: np.ndarray, final: np.ndarray, formats: Sequence[str]) -> dict[str, object]:
    winner = int(forecast.argmax())
    scores = {"brier": brier(forecast, final), "total_variation": total_variation(forecast, final)}
    return {
        "forecast": label,
        "winner": formats[winner],
        "share": float(forecast[winner]),
        "hit": winner == int(final.argmax()),
    } | scores
