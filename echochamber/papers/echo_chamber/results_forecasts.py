"""The part of `docs/RESULTS.md` on forecasts: what the base alone foretells, and the declared forecast against the naive ones."""

from collections.abc import Mapping
from statistics import mean

import polars as pl

from ...claims.estimate import estimate
from ...core.study_tables import Tables
from .results_parts import spread, table
from .winners import MIXTURES

DECLARED = "KL optimum"
"""The forecast that is held against the naive ones; named before any run."""
SCORES = ("brier", "total_variation", "hit")
WHY_NOT = (
    "So the declared forecast is not shown to beat the base's most accurate format. A reason that would explain it: at a small KL weight the optimum is every format's share of the base's *right* completions, "
    "the end of a policy that has learned to tell right from wrong inside each format and never needs to prefer one. A policy that learns more slowly inside formats than between "
    "them follows their mean accuracies instead, as the replicator flow and the most accurate format do; under a large KL weight (claim 21) the optimum is a different one, near the base."
)
NAIVE = ("most frequent at base", "most accurate at base", "always ")
"""How the forecasts begin that need no theory."""


def forecasts(tables: Tables) -> str:
    """Scores of every forecast over the PPO runs of the mixtures with a choice, and the one declared beforehand against the naive ones."""
    scores = _scores(tables)
    if not scores:
        return "No PPO arm on a mixture of several formats has finished."
    rows = [
        [name, _kind(name), spread(of["brier"]), spread(of["total_variation"]), spread(of["hit"], 2)]
        for name, of in scores.items()
    ]
    shown = table(["forecast", "kind", "Brier score", "total variation", "winner hit rate"], rows)
    note = (
        f"PPO on the mixtures of at least two formats that have finished ({', '.join(_finished(tables))}; planned are {len(MIXTURES)}), mean over mixtures, "
        f"interval over the seeds that have the most of them. Lower is better but for the last column. Declared beforehand: the {DECLARED} against each of the three naive baselines."
    )
    return "\n\n".join([note, shown, *_against(scores)])


def _finished(tables: Tables) -> list[str]:
    return [mixture for mixture in MIXTURES if (mixture, tables.size, "ppo") in tables.runs]


def _scores(tables: Tables) -> dict[str, dict[str, dict[int, float]]]:
    """Forecast -> score -> seed -> mean over mixtures, best Brier score first."""
    found = tables.frames["forecasts"]
    mine = (
        (pl.col("arm") == "ppo")
        & (pl.col("size") == tables.size)
        & pl.col("mixture").is_in(MIXTURES)
        & (pl.col("forecast") != "what happened")
    )
    # `always FORMAT` names each mixture's first format; over mixtures it is one forecast.
    name = (
        pl.when(pl.col("forecast").str.starts_with("always "))
        .then(pl.lit("always the first format"))
        .otherwise(pl.col("forecast"))
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
        .with_columns(forecast=name, hit=pl.col("hit").cast(pl.Float64))
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


def _kind(name: str) -> str:
    return "naive" if name.startswith(NAIVE) else "null model" if "null" in name else "theory"


def _against(scores: Mapping[str, Mapping[str, Mapping[int, float]]]) -> list[str]:
    """One sentence per naive baseline: paired differences over seeds, and whether they clear 0."""
    if DECLARED not in scores:
        return []
    lines, beaten = [], True
    for name in (name for name in scores if _kind(name) == "naive"):
        parts = []
        for score, sign in (("brier", "below"), ("hit", "above")):
            shared = {
                s: scores[DECLARED][score][s] - scores[name][score][s]
                for s in scores[DECLARED][score]
                if s in scores[name][score]
            }
            found = estimate(shared, "below" if sign == "below" else "above", 0.0)
            said = {"supported": "better", "contradicted": "worse", "inconclusive": "not told apart"}[
                found.verdict()
            ]
            beaten = beaten and (said == "better" or not name.startswith("most accurate"))
            parts.append(
                f"{'Brier score' if score == 'brier' else 'winner hit rate'} {spread(shared)}: {said}"
            )
        lines.append(f"- {DECLARED} minus {name}: {'; '.join(parts)}")
    return ["\n".join(lines), *([] if beaten else [WHY_NOT])]
