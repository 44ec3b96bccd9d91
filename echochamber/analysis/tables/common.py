"""What the analyses share: counts per problem and format, paired problems, seeds joined."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.intervals import Interval
from ..numbers import seed_interval

ESTIMATE: dict[str, Any] = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
GREEDY = -1


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


def counts(records: pl.LazyFrame, problem_set: str, steps: Sequence[int]) -> pl.DataFrame:
    """Sampled completions per step, problem and format: columns num, right. Text is never loaded."""
    wanted = records.filter(
        (pl.col("sample") != GREEDY)
        & (pl.col("problem_set") == problem_set)
        & pl.col("step").is_in(list(steps))
    )
    return (
        wanted.group_by("step", "problem_id", "format")
        .agg(num=pl.len(), right=pl.col("correct").sum())
        .collect()
    )


def forced_counts(forced: pl.LazyFrame, problem_set: str) -> pl.DataFrame:
    """Forced completions that kept to their format, in the columns of `counts`: step, problem_id, format, num, right."""
    kept = (pl.col("problem_set") == problem_set) & (pl.col("format") == pl.col("forced_format"))
    grouped = forced.filter(kept & (pl.col("outcome") != "infrastructure")).group_by(
        "step", "problem_id", "format"
    )
    return grouped.agg(num=pl.len(), right=pl.col("correct").sum()).collect()


def matrices(
    table: pl.DataFrame, step: int, problems: Sequence[str], formats: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Shares and accuracies (P, F) of one step; accuracy is NaN where a format was not written."""
    rows = {name: i for i, name in enumerate(problems)}
    columns = {name: i for i, name in enumerate(formats)}
    num, right = np.zeros((2, len(problems), len(formats)))
    for _, problem, name, n, r in (
        table.filter(pl.col("step") == step).select("step", "problem_id", "format", "num", "right").rows()
    ):
        if problem in rows and name in columns:
            num[rows[problem], columns[name]], right[rows[problem], columns[name]] = n, r
    with np.errstate(invalid="ignore", divide="ignore"):
        return num / num.sum(1, keepdims=True), right / num


def shared_problems(table: pl.DataFrame, steps: Sequence[int]) -> list[str]:
    """Ids of the problems that all `steps` have, sorted."""
    found = [set(table.filter(pl.col("step") == step)["problem_id"]) for step in steps]
    return sorted(set.intersection(*found)) if found else []
