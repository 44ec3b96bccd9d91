"""Completions counted per step, problem and format; text is never loaded."""

from collections.abc import Sequence

import numpy as np
import polars as pl

GREEDY = -1


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
    """Forced completions that kept to their format, in the columns of `counts`.

    Columns: step, problem_id, format, num, right.
    """
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
