"""Could the winner be predicted from the base?

Forecasts of the final shares, scored beside naive baselines.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import problem_weights, resampled_interval
from ...stats.forecast import Advantage, brier, total_variation
from ...stats.intervals import wilson
from ..averages import seed_interval
from ..completion_counts import matrices, shared_problems
from ..kl_weight import bandit_advantage, kl_weight
from ..number_text import percent
from ..page_table import Cell, CompletionLink, PageTable, link_to, number, share
from ..run_inputs import RunInputs
from ..runs import rollout_size
from ..study_folder import JsonObject
from .estimates import Schema
from .forecasters import BanditForecast, BaseFormats, Forecast, ForecastId, forecasters, weighted_mean

RESAMPLES = 200
SCORES = {"share": 1.0, "total_variation": 1.0, "brier": 2.0}
"""Scores and their largest value; `share` is that of the predicted winner."""
_SCORE_COLUMNS = [f"{score}{bound}" for score in SCORES for bound in ("", "_low", "_high")]
SCHEMA: Schema = {
    **dict.fromkeys(ForecastId._fields, pl.String),
    **{"winner": pl.String, "hit": pl.Boolean},
    **dict.fromkeys(_SCORE_COLUMNS, pl.Float64),
}
POINT_MASS = 1 - 1e-9
"""A forecast's share above which it is certain by construction: no data could change it."""
OBSERVED = ForecastId("observed")
LABELS = {
    "observed": "observed after RL",
    "replicator": "replicator flow, end",
    "bandit": "bandit on formats alone (null model)",
    "most_accurate": "most accurate at base",
    "most_frequent": "most frequent at base",
    "constant": "always {setting}",
}


def forecast_label(found: ForecastId) -> str:
    """A forecast in words.

    >>> forecast_label(ForecastId("kl_optimum", "0.1", "forced"))
    'KL optimum, weight 0.1, accuracies when forced'
    """
    if found.forecast == "kl_optimum":
        label = (
            f"KL optimum, weight {found.setting}" if found.setting else "KL optimum, limit of small weight"
        )
    else:
        label = LABELS[found.forecast].format(setting=found.setting)
    return label + (", accuracies when forced" if found.accuracies == "forced" else "")


def forecast_id(row: Mapping[str, str]) -> ForecastId:
    """Which forecast a row of `forecast_table` is of."""
    return ForecastId(*(row[name] for name in ForecastId._fields))  # type: ignore[arg-type]


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
    advantage: Advantage = "group_std",
) -> pl.DataFrame:
    """Forecasts of the shares at step `last` from `completion_counts.counts` of the base and of that step.

    Columns: forecast, setting, accuracies (`ForecastId`), winner, hit, and share (of that winner),
    total_variation, brier, each with _low and _high from a bootstrap by problem. The first row is what
    was observed. `advantage` is how the algorithm compares rewards, for the bandit. `kl_weight` is the
    weight that the algorithm really optimises
    (`stats.forecast.effective_kl_weight`); None gives the limit of small weights instead. Accuracies are
    those of the formats that the base chose itself. With `forced` (`completion_counts.forced_counts`) each
    forecast is made a second time from accuracies under forced decoding. The replicator flow and the most
    accurate format leave out formats under `FEWEST` of the base's completions. The bandit is the mean of
    `bandit_seeds` runs of `last` steps, each on its own resample. A forecast that puts everything on one
    format in every resample has no interval of its share: it is 1 by construction.
    """
    problems = shared_problems(table, [0, last])
    if not problems or last == 0:
        return pl.DataFrame(schema=SCHEMA)
    base, final = BaseFormats(table, 0, problems, formats), matrices(table, last, problems, formats)[0]
    weights = problem_weights(len(problems), 0, RESAMPLES).astype(float)
    rollout = (prompts_per_step, samples_per_prompt, bandit_rate)
    makers: dict[ForecastId, Forecast | BanditForecast] = {OBSERVED: lambda w: weighted_mean(final, w)}
    makers |= forecasters(base, last, kl_weight, rollout, advantage=advantage)
    if forced is not None and len(forced.filter(pl.col("step") == 0)):
        measured = BaseFormats(table, 0, problems, formats, matrices(forced, 0, problems, formats)[1])
        makers |= forecasters(measured, last, kl_weight, rollout, "forced", advantage)
    rows = []
    for name, maker in makers.items():
        drawn = weights[:bandit_seeds] if isinstance(maker, BanditForecast) else weights
        rows.append(name._asdict() | _scored(name, maker, final, drawn, formats))
    return pl.DataFrame(rows, schema=SCHEMA)


def _scored(
    name: ForecastId,
    maker: Forecast | BanditForecast,
    final: np.ndarray,
    weights: np.ndarray,
    formats: Sequence[str],
) -> dict[str, object]:
    """Scores on all problems with intervals; the null model's forecast is the mean of its runs."""
    ones = np.ones(len(final))
    drawn = maker.runs(weights) if isinstance(maker, BanditForecast) else maker(weights)
    forecast = drawn.mean(axis=0) if isinstance(maker, BanditForecast) else maker(ones)
    end, ends = final.mean(axis=0), weighted_mean(final, weights)
    winner = int(forecast.argmax())
    row: dict[str, object] = {"winner": formats[winner], "hit": winner == int(end.argmax())}
    resampled, values = _scores(drawn, ends, winner), _scores(forecast, end, winner)
    for key in SCORES:
        low, high = resampled_interval(resampled[key], len(final))
        value = float(values[key])
        row |= {
            key: value,
            f"{key}_low": min(low, value) if np.isfinite(low) else None,
            f"{key}_high": max(high, value) if np.isfinite(high) else None,
        }
    if name != OBSERVED and bool(np.all(drawn[:, winner] > POINT_MASS)):
        row |= {"share_low": None, "share_high": None}
    return row


def _scores(forecast: np.ndarray, end: np.ndarray, winner: int) -> dict[str, np.ndarray]:
    """Every score of forecasts of the shares at the end: (..., F), (..., F) -> (...)."""
    return {
        "share": forecast[..., winner],
        "total_variation": total_variation(forecast, end),
        "brier": brier(forecast, end),
    }


def forecasts_of_runs(inputs: Sequence[RunInputs]) -> dict[ForecastId, list[JsonObject]]:
    """Forecast -> its rows of `forecast_table`, one per run; only forecasts that every run has.

    Empty without RL, or where some run has no completions counted.
    """
    first = inputs[0]
    counted = [(one, one.counted) for one in inputs if one.counted is not None]
    if not first.run.arm or len(counted) < len(inputs):
        return {}
    weight, _ = kl_weight(first.rl_settings)
    size, advantage = rollout_size(first.rl_settings), bandit_advantage(first.rl_settings)
    found: dict[ForecastId, list[JsonObject]] = {}
    for one, table in counted:
        made = forecast_table(
            table, one.last, one.formats, weight, *size, forced=one.forced, advantage=advantage
        )
        for row in made.iter_rows(named=True):
            found.setdefault(forecast_id(row), []).append(row)
    if len(found.get(OBSERVED, [])) < len(inputs):
        return {}
    return {name: rows for name, rows in found.items() if len(rows) == len(inputs)}


def score_over_seeds(found: Sequence[JsonObject], score: str) -> dict[str, float | None]:
    """Value, low and high of one score of one forecast over seeds; one seed keeps its own interval."""
    values = [row[score] for row in found]
    pairs = [(row[f"{score}_low"], row[f"{score}_high"]) for row in found]
    within = [[low, high] if low is not None else None for low, high in pairs]
    largest = SCORES[score]
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


def forecasts_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Every forecast with its winner, its scores and how often the winner was right."""
    forecasts = forecasts_of_runs(inputs)
    if not forecasts:
        return None
    weight, reason = kl_weight(inputs[0].rl_settings)
    rows = [_cells(name, found, inputs[0]) for name, found in forecasts.items()]
    note = (
        f"Effective KL weight: {'none' if weight is None else f'{weight:g}'}, because {reason}. "
        "The bandit knows only the base’s shares and accuracies and how the algorithm compares rewards "
        "(learning rate 1), so what it reaches needs no language model. "
        "“When forced”: accuracies with the format’s opening given."
    )
    columns = ["Forecast from the base", "Winner", "Its share", "Total variation", "Brier", "Correct winner"]
    question = "Could the winner be predicted from the base?"
    return PageTable("forecasts", question, columns, rows, note)


def _cells(name: ForecastId, found: Sequence[JsonObject], one: RunInputs) -> list[Cell]:
    """The row of one forecast, whose scores `found` has per seed."""
    winners = ", ".join(dict.fromkeys(row["winner"] for row in found))
    link = link_to(one, None if name == OBSERVED else 0)
    won = score_over_seeds(found, "share")
    head = [Cell(forecast_label(name)), Cell(winners)]
    if name == OBSERVED:
        return [*head, share(won).to(link), *[Cell("–", known=False)] * 3]
    certain = all(row["share_low"] is None for row in found)
    return [
        *head,
        Cell(f"{percent(won['value'])} by construction").to(link) if certain else share(won).to(link),
        number(score_over_seeds(found, "total_variation"), 2).to(link),
        number(score_over_seeds(found, "brier"), 2).to(link),
        _hit_cell([bool(row["hit"]) for row in found], link),
    ]


def _hit_cell(hits: Sequence[bool], link: CompletionLink) -> Cell:
    """Whether the predicted winner won; over seeds how often, with Wilson's interval."""
    if len(hits) == 1:
        return Cell("yes" if hits[0] else "no").to(link)
    low, high = wilson(sum(hits), len(hits))
    return Cell(f"{sum(hits)} of {len(hits)}", f"{percent(low)} to {percent(high)}").to(link)
