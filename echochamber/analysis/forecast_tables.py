"""The forecasts as a table of text, over seeds."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ..stats.forecast import effective_kl_weight
from ..stats.intervals import wilson
from .headline import percent
from .numbers import seed_interval
from .page_table import Cell, Inputs, PageTable, share, target
from .runs import rl_config, rollout_size
from .study_folder import Study
from .tables.forecasts import forecast_table

_DIVIDE_BY_SPREAD = ("grpo", "dapo", "gspo")


def forecasts_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
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


def forecast_tables(study: Study, inputs: Sequence[Inputs]) -> list[pl.DataFrame]:
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


def _row(name: str, tables: Sequence[pl.DataFrame], one: Inputs) -> list[str]:
    found = [table.row(by_predicate=pl.col("forecast") == name, named=True) for table in tables]
    winners = list(dict.fromkeys(row["winner"] for row in found))
    goal = target(one, step=one.last if name == "what happened" else 0)
    cells = [_joined(found, score) for score in ("share", "total_variation", "brier")]
    certain = name != "what happened" and all(row["share_low"] is None for row in found)
    texts = [
        f"{percent(cells[0]['value'])} by construction" if certain else share(cells[0]),
        _plain(cells[1]),
        _plain(cells[2]),
    ]
    if name == "what happened":
        return [name, ", ".join(winners), Cell(texts[0], goal), "–", "–", "–"]
    hits = sum(row["hit"] for row in found)
    low, high = wilson(hits, len(found))
    hit = (
        ("yes" if hits else "no")
        if len(found) == 1
        else f"{hits} of {len(found)} [{percent(low)} to {percent(high)}]"
    )
    return [name, ", ".join(winners), *(Cell(text, goal) for text in (*texts, hit))]


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


def _plain(cell: dict[str, Any]) -> str:
    around = f" [{cell['low']:.2f} to {cell['high']:.2f}]" if cell["low"] is not None else " (no interval)"
    return f"{cell['value']:.2f}{around}"


def kl_weight(config: dict[str, Any]) -> tuple[float | None, str]:
    """The weight that the arm really optimises; None where the recipe does not say enough."""
    kl, algorithm = config.get("kl"), config.get("algorithm")
    if not isinstance(kl, dict) or not isinstance(kl.get("coef"), int | float):
        return None, "the recipe does not state it"
    place, estimator = kl.get("place", "reward"), kl.get("estimator", "k1")
    if kl.get("target") is not None:
        return None, "the coefficient adapts during the run"
    return effective_kl_weight(float(kl["coef"]), place, estimator, normalise=algorithm in _DIVIDE_BY_SPREAD)
