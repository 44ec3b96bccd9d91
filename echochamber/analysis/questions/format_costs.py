"""What does each format cost? Tokens, truncation, and samples in a training step."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    problem_weights,
    ratio_interval,
    resampled_interval,
)
from ...stats.intervals import Interval
from ..page_table import Cell, PageTable, both_ends, number, share
from ..run_inputs import RunInputs
from ..runs import rollout_size
from ..study_folder import JsonObject
from .estimates import ESTIMATE, Schema, estimate, of_every_run, over_seeds

QUANTITIES = {"tokens": "Tokens", "truncated": "Truncated", "samples": "Samples per step"}
"""Quantities of `cost_estimates` and how they are called on the page."""


def format_costs(records: pl.LazyFrame, problem_set: str) -> pl.DataFrame:
    """What each format costs in sampled completions.

    Columns: step, format, completions, tokens (mean), truncated (share), per_problem (completions).
    """
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
        for name, (num, tokens, truncated), total in _per_format(table.filter(pl.col("step") == step)):
            weights = problem_weights(len(total), seed)
            low, high = ratio_interval(weights, num, total)
            cells = {
                "tokens": _mean_ratio(weights, tokens, num),
                "truncated": (
                    float(truncated.sum() / num.sum()),
                    ratio_interval(weights, truncated, num),
                ),
                "samples": (
                    samples_per_step * float(num.sum() / total.sum()),
                    (samples_per_step * low, samples_per_step * high),
                ),
            }
            for quantity, (value, bounds) in cells.items():
                rows.append(
                    {"step": step, "format": name, "quantity": quantity}
                    | estimate(value, (bounds[0], bounds[1]))
                )
    schema: Schema = {"step": pl.Int64, "format": pl.String, "quantity": pl.String}
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def _per_format(part: pl.DataFrame) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each format's num, tokens and truncated per problem (3, P), with all formats' num (P,), by name."""
    rows = part.select("problem_id", "format", "num", "tokens", "truncated").rows()
    problems = {name: i for i, name in enumerate(sorted({row[0] for row in rows}))}
    formats = {name: i for i, name in enumerate(sorted({row[1] for row in rows}))}
    sums = np.zeros((len(formats), 3, len(problems)))
    for problem, name, *values in rows:
        sums[formats[name], :, problems[problem]] = values
    for name, i in formats.items():
        yield name, sums[i], sums[:, 0].sum(axis=0)


def _mean_ratio(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> tuple[float, Interval]:
    """A ratio that is no share, with percentiles over the resamples that hold any of it."""
    drawn = weights @ bottom
    estimates = (weights @ top)[drawn > 0] / drawn[drawn > 0]
    return float(top.sum() / bottom.sum()), resampled_interval(estimates, int((bottom > 0).sum()))


def costs_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """What a format costs: tokens, truncation, and how many samples of it a training step sees."""
    prompts, samples = rollout_size(inputs[0].rl_settings)

    def make(one: RunInputs) -> pl.DataFrame | None:
        if one.records is None or not one.last:
            return None
        table = cost_estimates(one.records, problem_set, (0, one.last), prompts * samples)
        return table.with_columns(last=pl.col("step") > 0)

    tables = of_every_run(inputs, make)
    if not tables:
        return None
    keys = ["format", "quantity", "last"]
    found = {tuple(row[key] for key in keys): row for row in over_seeds(tables, keys).iter_rows(named=True)}
    written = {key[0] for key in found}
    rows = [
        [
            Cell(name),
            *(
                _cost_cell(found.get((name, quantity, last)), quantity).to(both_ends(inputs[0], name)[last])
                for quantity in QUANTITIES
                for last in (False, True)
            ),
        ]
        for name in inputs[0].formats
        if name in written
    ]
    columns = [
        "Format",
        *(f"{label}, {end}" for label in QUANTITIES.values() for end in ("base", "after RL")),
    ]
    note = (
        "Tokens: mean per completion. Truncated: share that reached the token limit. Samples per step: the "
        f"format’s share times the {prompts} x {samples} completions of one training step."
    )
    return PageTable("format_costs", "What does each format cost?", columns, rows, note)


def _cost_cell(row: JsonObject | None, quantity: str) -> Cell:
    if row is None:
        return Cell("not written", known=False)
    if quantity != "truncated":
        return number(row, 1, least=0.0)
    if row["low"] is None:
        return share(row)
    return share(row | {"low": max(row["low"], 0.0), "high": min(row["high"], 1.0)})
