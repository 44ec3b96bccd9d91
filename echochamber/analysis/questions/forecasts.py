"""Could the winner be forecast from the base? The forecasts' scores, beside simple baselines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ...stats.bootstrap import (
    problem_weights,
    resampled_interval,
)
from ...stats.forecast import brier, total_variation
from ...stats.intervals import wilson
from ..averages import seed_interval
from ..completion_counts import matrices, shared_problems
from ..kl_weight import kl_weight
from ..number_text import percent
from ..page_table import Cell, PageTable, number, share, target
from ..run_inputs import RunInputs
from ..runs import rl_config, rollout_size
from ..study_folder import Study
from .forecast_makers import Forecast, _Base, _makers, _mean, _Null

RESAMPLES = 200
SCORES = ("share", "total_variation", "brier")
SCHEMA: dict[str, Any] = {"forecast": pl.String, "winner": pl.String, "hit": pl.Boolean} | dict.fromkeys(
    [f"{score}{bound}" for score in SCORES for bound in ("", "_low", "_high")], pl.Float64
)
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
    """Forecasts of the shares at step `last` from `completion_counts.counts` of the base and of that step.

    Columns: forecast, winner, hit, and share (of that winner), total_variation, brier, each with _low and
    _high from a bootstrap by problem. `kl_weight` is the weight the algorithm really optimises
    (`stats.forecast.effective_kl_weight`); None shows the limit of small weights instead and says so in
    the name. Accuracies are those of the formats that the base chose itself; with `forced`
    (`completion_counts.forced_counts`) each forecast is made a second time from accuracies under forced decoding.
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


def forecasts_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """Every forecast with its winner, its scores and how often the winner was right."""
    tables = forecast_tables(study, inputs)
    if not tables:
        return None
    weight, reason = kl_weight(rl_config(study, inputs[0].run.arm))
    rows = [_row(name, tables, inputs[0]) for name in shared_forecasts(tables)]
    note = (
        f"Effective KL weight: {f'{weight:g}' if weight is not None else 'none'}, because {reason}. The bandit sees only base shares and "
        "accuracies (rate 1): what it reaches needs no language model. “When forced”: accuracies with the format’s opening given. "
    )
    columns = ["Forecast from the base", "Winner", "Its share", "Total variation", "Brier", "Right winner"]
    return PageTable("Could the winner be foretold from the base?", columns, rows, note)


def forecast_tables(study: Study, inputs: Sequence[RunInputs]) -> list[pl.DataFrame]:
    """`forecast_table` of every run; empty where one of them has none."""
    one = inputs[0]
    if not one.run.arm or any(each.counted is None for each in inputs):
        return []
    config = rl_config(study, one.run.arm)
    weight, _ = kl_weight(config)
    prompts, samples = rollout_size(config)
    tables = [
        forecast_table(each.counted, each.last, each.formats, weight, prompts, samples, forced=each.forced)
        for each in inputs
        if each.counted is not None
    ]
    return tables if all(len(table) for table in tables) else []


def shared_forecasts(tables: Sequence[pl.DataFrame]) -> list[str]:
    """Names of the forecasts that every run has, in their order."""
    return [name for name in tables[0]["forecast"] if all(name in table["forecast"] for table in tables)]


def over_runs(tables: Sequence[pl.DataFrame], name: str, score: str) -> dict[str, Any]:
    """value, low, high of one score of one forecast over seeds."""
    return _joined(
        [table.row(by_predicate=pl.col("forecast") == name, named=True) for table in tables], score
    )


def _row(name: str, tables: Sequence[pl.DataFrame], one: RunInputs) -> list[Cell]:
    found = [table.row(by_predicate=pl.col("forecast") == name, named=True) for table in tables]
    winners = list(dict.fromkeys(row["winner"] for row in found))
    goal = target(one, step=one.last if name == "what happened" else 0)
    cells = [_joined(found, score) for score in ("share", "total_variation", "brier")]
    certain = name != "what happened" and all(row["share_low"] is None for row in found)
    won = Cell(f"{percent(cells[0]['value'])} by construction") if certain else share(cells[0])
    scores = [won, number(cells[1]), number(cells[2])]
    if name == "what happened":
        return [Cell(name), Cell(", ".join(winners)), won.to(goal), *[Cell("–", known=False)] * 3]
    hits = sum(row["hit"] for row in found)
    low, high = wilson(hits, len(found))
    hit = (
        Cell("yes" if hits else "no")
        if len(found) == 1
        else Cell(f"{hits} of {len(found)}", f"{percent(low)} to {percent(high)}")
    )
    return [Cell(name), Cell(", ".join(winners)), *(cell.to(goal) for cell in (*scores, hit))]


def _joined(found: Sequence[dict[str, Any]], score: str) -> dict[str, Any]:
    """Value, low and high over seeds; one seed keeps its own interval."""
    values = [row[score] for row in found]
    within = [
        [row[f"{score}_low"], row[f"{score}_high"]] if row[f"{score}_low"] is not None else None
        for row in found
    ]
    largest = 2.0 if score == "brier" else 1.0
    bounds = (
        within[0]
        if len(found) == 1
        else seed_interval(
            [v / largest for v in values], [[b / largest for b in w] if w else None for w in within]
        )
    )
    scale = largest if len(found) > 1 else 1.0
    low, high = (bounds[0] * scale, bounds[1] * scale) if bounds else (None, None)
    return {"value": sum(values) / len(values), "low": low, "high": high}
