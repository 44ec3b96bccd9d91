"""Analysis 1, format dynamics: who leads when, how mixed the formats are, what each costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import problem_weights, ratio_interval, resampled_interval
from ...stats.intervals import Interval
from .common import ESTIMATE, estimate

TAKEN_OVER = 0.9
FEW = 20
"""Completions of a format at one step, under which its style is not reported."""


def format_dynamics(dense: Sequence[Mapping[str, Any]], formats: Sequence[str]) -> pl.DataFrame:
    """Long table of training rollouts: step, format, share, accuracy, and the step's entropy of formats (nats)."""
    rows = []
    for row in dense:
        shares = {name: row.get(f"format/{name}/share") for name in formats}
        known = np.array([share for share in shares.values() if share])
        entropy = float(-(known * np.log(known)).sum()) if known.size else None
        for name, share in shares.items():
            accuracy = row.get(f"format/{name}/accuracy")
            rows.append(
                {
                    "step": row["step"],
                    "format": name,
                    "share": share,
                    "accuracy": accuracy,
                    "entropy": entropy,
                }
            )
    schema: dict[str, Any] = {
        "step": pl.Int64,
        "format": pl.String,
        "share": pl.Float64,
        "accuracy": pl.Float64,
        "entropy": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema)


def first_steps(dynamics: pl.DataFrame) -> pl.DataFrame:
    """Per format: first step at which it leads, at which it overtakes the first leader, at which it passes 90%.

    Columns: format, first_share, last_share, peak_share, peak_step, leads_at, overtakes_at,
    takes_over_at; null for what never happened. Formats that were never written are left out.
    """
    table = dynamics.filter(pl.col("share").is_not_null()).sort("step")
    best = table.group_by("step").agg(top=pl.col("share").max())
    table = table.join(best, on="step")
    leaders = table.filter(pl.col("share") == pl.col("top")).sort("step")
    first = leaders["format"][0] if len(leaders) else ""
    rival = table.filter(pl.col("format") == first).select("step", rival="share")
    joined = table.join(rival, on="step", how="left").sort("step")
    step = pl.col("step")
    summary = joined.group_by("format", maintain_order=True).agg(
        first_share=pl.col("share").first(),
        last_share=pl.col("share").last(),
        peak_share=pl.col("share").max(),
        peak_step=step.sort_by("share", "step", descending=[True, False]).first(),
        leads_at=step.filter(pl.col("share") == pl.col("top")).min(),
        overtakes_at=step.filter((pl.col("share") > pl.col("rival")) & (pl.col("format") != first)).min(),
        takes_over_at=step.filter(pl.col("share") > TAKEN_OVER).min(),
    )
    return summary.filter(pl.col("peak_share") > 0)


def format_costs(records: pl.LazyFrame, problem_set: str) -> pl.DataFrame:
    """Per step and format of the sampled completions: completions, mean tokens, truncated share, samples a problem."""
    wanted = records.filter((pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set))
    grouped = wanted.group_by("step", "format").agg(
        completions=pl.len(),
        tokens=pl.col("num_tokens").mean(),
        truncated=pl.col("truncated").cast(pl.Float64).mean(),
    )
    problems = wanted.group_by("step").agg(problems=pl.col("problem_id").n_unique())
    table = grouped.join(problems, on="step").with_columns(
        per_problem=pl.col("completions") / pl.col("problems")
    )
    return table.drop("problems").sort("step", "format").collect()


def cost_estimates(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], samples_per_step: int, seed: int = 0
) -> pl.DataFrame:
    """`format_costs` with intervals: step, format, quantity, value, low, high (bootstrap by problem).

    Quantities: `tokens` (mean), `truncated` (share), `samples` (expected completions of the format
    among `samples_per_step` of a training step). A format that a step did not write has no rows.
    """
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    sums = wanted.group_by("step", "problem_id", "format").agg(
        num=pl.len(), tokens=pl.col("num_tokens").sum(), truncated=pl.col("truncated").sum()
    )
    table = sums.collect()
    rows = []
    for step in steps:
        part = table.filter(pl.col("step") == step)
        totals = part.group_by("problem_id").agg(total=pl.col("num").sum()).sort("problem_id")
        weights = problem_weights(max(len(totals), 1), seed)
        for (form,), own in part.sort("format").group_by(["format"], maintain_order=True):
            joined = totals.join(own, on="problem_id", how="left", maintain_order="left").fill_null(0)
            num = joined["num"].to_numpy().astype(float)
            cells = {
                "tokens": _mean_ratio(weights, joined["tokens"].to_numpy().astype(float), num),
                "truncated": (
                    float(joined["truncated"].sum() / num.sum()),
                    ratio_interval(weights, joined["truncated"].to_numpy(), num),
                ),
                "samples": (
                    samples_per_step * float(num.sum() / joined["total"].sum()),
                    tuple(
                        samples_per_step * bound
                        for bound in ratio_interval(weights, num, joined["total"].to_numpy())
                    ),
                ),
            }
            for quantity, (value, bounds) in cells.items():
                rows.append(
                    {"step": step, "format": form, "quantity": quantity}
                    | estimate(value, (bounds[0], bounds[1]))
                )
    schema: dict[str, Any] = {"step": pl.Int64, "format": pl.String, "quantity": pl.String}
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def _mean_ratio(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> tuple[float, Interval]:
    """A ratio that is no share, with percentiles over the resamples that hold any of it."""
    drawn = weights @ bottom
    estimates = (weights @ top)[drawn > 0] / drawn[drawn > 0]
    return float(top.sum() / bottom.sum()), resampled_interval(estimates, int((bottom > 0).sum()))


def style_shares(records: pl.LazyFrame, problem_set: str) -> pl.DataFrame:
    """Style features inside a format over steps: step, format, feature, value, completions, share.

    Shares are of the format's completions in which the feature was measured.
    """
    columns = [name for name in records.collect_schema().names() if name.startswith("style_")]
    wanted = records.filter((pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set))
    keys = ["step", "format", "feature"]
    schema: dict[str, Any] = {
        "step": pl.Int64,
        "format": pl.String,
        "feature": pl.String,
        "value": pl.String,
        "completions": pl.UInt32,
        "share": pl.Float64,
    }
    tables = []
    for column in columns:
        measured = wanted.filter(pl.col(column).is_not_null())
        table = measured.group_by("step", "format", value=pl.col(column)).agg(
            completions=pl.len().cast(pl.UInt32)
        )
        tables.append(table.with_columns(feature=pl.lit(column.removeprefix("style_"))).collect())
    if not tables:
        return pl.DataFrame(schema=schema)
    joined = pl.concat(tables)
    total = pl.col("completions").sum().over(keys)
    return (
        joined.with_columns(share=pl.col("completions") / total).select(list(schema)).sort([*keys, "value"])
    )


def style_changes(records: pl.LazyFrame, problem_set: str, last: int, seed: int = 0) -> pl.DataFrame:
    """Shares of style features at the base and at `last`: format, feature, word, step, value, low, high.

    Formats and features that both steps have, at least `FEW` completions each; bootstrap by problem.
    """
    table = style_estimates(records, problem_set, [0, last], seed)
    both = pl.col("step").n_unique().over("format", "feature") == 2
    return table.filter(both)


def style_estimates(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], seed: int = 0
) -> pl.DataFrame:
    """`style_changes`' columns at any steps: a word is there at every step at which its format has `FEW` measured completions."""
    names = [name for name in records.collect_schema().names() if name.startswith("style_")]
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    rows = []
    for name in names:
        measured = wanted.filter(pl.col(name).is_not_null())
        counted = (
            measured.group_by("step", "format", "problem_id", word=pl.col(name)).agg(num=pl.len()).collect()
        )
        for (form,), part in counted.sort("format", "step").group_by(["format"], maintain_order=True):
            words = sorted(set(part["word"]))
            for (step,), side in part.group_by(["step"], maintain_order=True):
                if side["num"].sum() < FEW:
                    continue
                head = {"format": form, "feature": name.removeprefix("style_"), "step": step}
                rows += [head | {"word": word} | _feature_share(side, word, seed) for word in words]
    schema: dict[str, Any] = {"format": pl.String, "feature": pl.String, "word": pl.String, "step": pl.Int64}
    return pl.DataFrame(rows, schema=schema | ESTIMATE).sort("format", "feature", "word", "step")


def _feature_share(side: pl.DataFrame, word: str, seed: int) -> dict[str, float | None]:
    own = pl.col("num").filter(pl.col("word") == word).sum()
    counted = side.group_by("problem_id").agg(own=own, den=pl.col("num").sum()).sort("problem_id")
    num, den = counted["own"].to_numpy(), counted["den"].to_numpy()
    bounds = ratio_interval(problem_weights(len(counted), seed), num, den)
    return estimate(float(num.sum() / den.sum()), bounds)
