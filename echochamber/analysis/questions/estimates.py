"""The tidy columns of every estimate, and several seeds joined."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.intervals import Interval
from ..averages import seed_interval

ESTIMATE: dict[str, Any] = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


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
    schema: dict[str, Any] = {key: tables[0].schema[key] for key in keys} | ESTIMATE
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
