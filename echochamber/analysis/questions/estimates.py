"""The columns of every estimate, tables of every run, and several seeds joined."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from ...stats.intervals import Interval
from ..averages import seed_interval
from ..run_inputs import RunInputs

Schema = dict[str, type[pl.DataType]]
"""Column -> Polars type."""
ESTIMATE: Schema = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
"""Columns of an estimate with its 95% interval; null where it is not estimable."""
UNKNOWN: dict[str, float | None] = {"value": None, "low": None, "high": None}
"""A row that is not there."""


def estimate(value: float, bounds: Interval | None) -> dict[str, float | None]:
    """`value`, `low`, `high` of one row; NaN becomes null."""
    low, high = bounds if bounds else (np.nan, np.nan)
    cells = {"value": float(value), "low": float(low), "high": float(high)}
    return {name: cell if np.isfinite(cell) else None for name, cell in cells.items()}


def over_seeds(
    tables: Sequence[pl.DataFrame], keys: Sequence[str], clip: tuple[float, float] | None = None
) -> pl.DataFrame:
    """Mean over seeds of `value` per key with Student's t; a key that some seed lacks has no estimate.

    `clip=(0, 1)`: the values are shares, whose interval keeps its level near the ends (`share_interval`).
    """
    if len(tables) == 1:
        return tables[0].select(*keys, *ESTIMATE)
    rows = []
    types = tables[0].schema
    schema: dict[str, pl.DataType | type[pl.DataType]] = {**{key: types[key] for key in keys}, **ESTIMATE}
    for key, group in pl.concat([table.select(*keys, *ESTIMATE) for table in tables]).group_by(
        keys, maintain_order=True
    ):
        values = group["value"].to_list()
        complete = len(values) == len(tables) and None not in values
        within = [
            [low, high] if low is not None else None for low, high in group.select("low", "high").rows()
        ]
        bounds = seed_interval(values, within, clip) if complete else None
        mean = float(np.mean(values)) if complete else np.nan
        rows.append(
            dict(zip(keys, key, strict=True)) | estimate(mean, (bounds[0], bounds[1]) if bounds else None)
        )
    return pl.DataFrame(rows, schema=schema)


def of_every_run(
    inputs: Sequence[RunInputs], make: Callable[[RunInputs], pl.DataFrame | None]
) -> list[pl.DataFrame]:
    """One table per run; empty where some run has none: all rows must be of the same seeds."""
    tables = [table for one in inputs if (table := make(one)) is not None and len(table)]
    return tables if len(tables) == len(inputs) else []
