"""Forecasts from the base alone: their scores, and the pre-declared one against the naive baselines."""

from collections.abc import Mapping
from statistics import mean

import polars as pl

from ...claims.declare import Rule
from ...claims.estimate import estimate
from ...core.study_tables import KL_OPTIMUM, MOST_ACCURATE, OBSERVED, Tables
from .labels import FORECAST_KINDS, FORECAST_LABELS
from .markdown import mean_text, render
from .winners import MIXTURES

DECLARED = KL_OPTIMUM
"""The forecast that is held against the naive ones; named before any run."""
LOWER: Rule = "below"
"""Lower is better: the difference must lie below 0."""
HIGHER: Rule = "above"
SCORES = ("brier", "total_variation", "hit")


def forecasts(tables: Tables) -> str:
    """Scores of every forecast, and paired differences of the declared one from the naive ones."""
    scores = _scores(tables)
    rows = [
        [
            FORECAST_LABELS[name],
            FORECAST_KINDS[name],
            mean_text(of["brier"]),
            mean_text(of["total_variation"]),
            mean_text(of["hit"], 2),
        ]
        for name, of in scores.items()
    ]
    compared = _against(scores)
    return render(
        "forecasts",
        rows=rows,
        finished=_finished(tables),
        planned=len(MIXTURES),
        declared=FORECAST_LABELS[DECLARED],
        compared=compared,
        beaten=all(one["better"] for one in compared if one["is_most_accurate"]),
    )


def _finished(tables: Tables) -> list[str]:
    return [mixture for mixture in MIXTURES if (mixture, tables.size, "ppo") in tables.runs]


def _scores(tables: Tables) -> dict[str, dict[str, dict[int, float]]]:
    """Forecast -> score -> seed -> mean over mixtures, best Brier score first."""
    found = tables.frames["forecasts"]
    mine = (
        (pl.col("arm") == "ppo")
        & (pl.col("size") == tables.size)
        & pl.col("mixture").is_in(MIXTURES)
        & (pl.col("forecast") != OBSERVED)
    )
    found = found.filter(mine)
    # A seed that some mixtures lack would compare other mixtures than its fellows do.
    whole = (
        found.group_by("seed")
        .agg(count=pl.col("mixture").n_unique())
        .filter(pl.col("count") == pl.col("count").max())["seed"]
    )
    means = (
        found.filter(pl.col("seed").is_in(whole.to_list()))
        .with_columns(hit=pl.col("hit").cast(pl.Float64))
        .group_by("forecast", "seed")
        .agg(pl.col(*SCORES).mean())
    )
    scores: dict[str, dict[str, dict[int, float]]] = {}
    for forecast, seed, *values in (
        means.sort("forecast", "seed").select("forecast", "seed", *SCORES).iter_rows()
    ):
        for score, value in zip(SCORES, values, strict=True):
            scores.setdefault(forecast, {}).setdefault(score, {})[seed] = value
    return dict(sorted(scores.items(), key=lambda item: mean(item[1]["brier"].values())))


def _against(scores: Mapping[str, Mapping[str, Mapping[int, float]]]) -> list[dict[str, object]]:
    """Per naive baseline: paired differences over seeds, and whether their intervals exclude 0."""
    if DECLARED not in scores:
        return []
    found = []
    for name in (name for name in scores if FORECAST_KINDS[name] == "naive"):
        brier, hit = (_difference(scores, name, score) for score in ("brier", "hit"))
        results = [
            {"score": label, "difference": mean_text(seeds), "verdict": estimate(seeds, rule, 0.0).verdict()}
            for label, seeds, rule in (
                ("Brier score", brier, LOWER),
                ("winner hit rate", hit, HIGHER),
            )
        ]
        found.append(
            {
                "name": FORECAST_LABELS[name],
                "results": results,
                "better": all(one["verdict"] == "supported" for one in results),
                "is_most_accurate": name == MOST_ACCURATE,
            }
        )
    return found


def _difference(
    scores: Mapping[str, Mapping[str, Mapping[int, float]]], name: str, score: str
) -> dict[int, float]:
    declared, naive = scores[DECLARED][score], scores[name][score]
    return {seed: declared[seed] - naive[seed] for seed in declared if seed in naive}
