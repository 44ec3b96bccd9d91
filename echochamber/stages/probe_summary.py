"""The rows of a probe's `summary.json`, each number with its 95% interval (bootstrap by problem)."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from ..stats.bootstrap import mean_interval, paired_interval, problem_weights, ratio_interval
from ..stats.intervals import Interval, wilson

MOVED = 1.0
"""Nats by which a token's log-probability must differ for its position to count as moved."""


def forced_rows(records: pl.LazyFrame) -> Iterator[dict[str, object]]:
    """Per set and forced format: accuracy, share that kept to the format, accuracy of those that did."""
    kept = pl.col("format") == pl.col("forced_format")
    right = pl.col("correct")
    wanted = records.filter(pl.col("outcome") != "infrastructure")
    counted = wanted.group_by("problem_set", "forced_format", "problem_id", maintain_order=True).agg(
        num=pl.len(), right=right.sum(), kept=kept.sum(), kept_right=(kept & right).sum()
    )
    for (name, format_name), part in counted.collect().group_by(
        ["problem_set", "forced_format"], maintain_order=True
    ):
        num, is_right, stayed, stayed_right = (
            part[c].to_numpy().astype(float) for c in ("num", "right", "kept", "kept_right")
        )
        weights = problem_weights(len(part), 0)
        row: dict[str, object] = {
            "problem_set": name,
            "format": format_name,
            "num_problems": len(part),
            "num_completions": int(num.sum()),
        }
        cells = {
            "accuracy": (is_right.sum() / num.sum(), ratio_interval(weights, is_right, num)),
            "kept": (stayed.sum() / num.sum(), ratio_interval(weights, stayed, num)),
            "accuracy_kept": (
                stayed_right.sum() / stayed.sum() if stayed.sum() else None,
                ratio_interval(weights, stayed_right, stayed),
            ),
        }
        yield row | _numbers(cells)


def sweep_rows(records: pl.LazyFrame) -> Iterator[dict[str, object]]:
    """Per set and temperature: accuracy."""
    wanted = records.filter(pl.col("outcome") != "infrastructure")
    counted = wanted.group_by("problem_set", "temperature", "problem_id", maintain_order=True).agg(
        num=pl.len(), right=pl.col("correct").sum()
    )
    for (name, temperature), part in counted.collect().group_by(
        ["problem_set", "temperature"], maintain_order=True
    ):
        shares = (part["right"] / part["num"]).to_numpy()
        single = int(part["num"].sum()) == len(part)
        bounds = (
            wilson(float(shares.sum()), len(part))
            if single
            else mean_interval(problem_weights(len(part), 0), shares)
        )
        row: dict[str, object] = {
            "problem_set": name,
            "temperature": round(float(str(temperature)), 6),
            "num_problems": len(part),
        }
        yield row | _numbers({"accuracy": (shares.mean(), bounds)})


def likelihood_rows(table: pl.LazyFrame) -> Iterator[dict[str, object]]:
    """Per set and writer: nats per completion and token under both, and the share of positions that moved.

    `difference` is checkpoint minus reference, per completion; positions move where one token's
    log-probabilities differ by more than `MOVED` nats. Means over problems of means over completions.
    """
    compared = table.select(pl.col("logprob_reference").is_not_null().all()).collect().item()
    columns = {"logprob": pl.col("logprob"), "logprob_per_token": pl.col("logprob") / pl.col("num_tokens")}
    if compared:
        apart = (pl.col("logprobs").explode() - pl.col("logprobs_reference").explode()).abs() > MOVED
        table = table.with_row_index("row")
        moved = table.select("row", "logprobs", "logprobs_reference").group_by("row").agg(moved=apart.mean())
        table = table.join(moved, on="row").sort("row")
        columns |= {
            "logprob_reference": pl.col("logprob_reference"),
            "logprob_reference_per_token": pl.col("logprob_reference") / pl.col("num_tokens"),
            "difference": pl.col("logprob") - pl.col("logprob_reference"),
            "moved": pl.col("moved"),
        }
    grouped = table.group_by("problem_set", "writer", "problem_id", maintain_order=True)
    means = grouped.agg(*[column.mean().alias(name) for name, column in columns.items()], pl.len()).collect()
    for (name, writer), part in means.group_by(["problem_set", "writer"], maintain_order=True):
        weights, zeros = problem_weights(len(part), 0), np.zeros(len(part))
        cells = {
            key: (_mean(part[key]), paired_interval(weights, zeros, part[key].to_numpy())) for key in columns
        }
        row: dict[str, object] = {
            "problem_set": name,
            "writer": writer,
            "num_problems": len(part),
            "num_completions": int(part["len"].sum()),
        }
        yield row | _numbers(cells)


def _mean(column: pl.Series) -> float | None:
    """The mean of a column of floats, None where all are null."""
    mean = column.mean()
    return mean if isinstance(mean, float) else None


def _numbers(cells: dict[str, tuple[float | None, Interval]]) -> dict[str, object]:
    values = {name: None if value is None else float(value) for name, (value, _) in cells.items()}
    intervals = {
        name: [float(b) for b in bounds] if np.all(np.isfinite(bounds)) else None
        for name, (_, bounds) in cells.items()
    }
    return values | {"intervals": intervals}
