"""What does each format cost? Tokens, truncation, and samples in a training step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    problem_weights,
    ratio_interval,
    resampled_interval,
)
from ...stats.intervals import Interval
from ..page_table import Cell, PageTable, number, share, target
from ..run_inputs import RunInputs
from ..runs import rl_config, rollout_size
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds

NOT_WRITTEN = Cell("not written", known=False)


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


def costs_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """What a format costs: tokens, truncation, and how many samples of it a training step sees."""
    prompts, samples = rollout_size(rl_config(study, inputs[0].run.arm))
    found = [
        cost_estimates(one.records, chosen, (0, one.last), prompts * samples).with_columns(
            last=pl.col("step") > 0
        )
        for one in inputs
        if one.records is not None and one.last
    ]
    if len(found) < len(inputs) or not all(len(table) for table in found):
        return None
    keys = ["format", "quantity", "last"]
    joined = over_seeds(found, keys)
    cells = {tuple(row[key] for key in keys): _cost(row) for row in joined.iter_rows(named=True)}
    names = dict.fromkeys(key[0] for key in cells)
    quantities = {"tokens": "Tokens", "truncated": "Cut at the limit", "samples": "Samples a step"}
    rows: list[list[Cell]] = []
    for name in [name for name in inputs[0].formats if name in names]:
        goals = [target(inputs[0], step=0, format=name), target(inputs[0], format=name)]
        found_cells = [
            cells.get((name, what, last), NOT_WRITTEN).to(goals[last])
            for what in quantities
            for last in (False, True)
        ]
        rows.append([Cell(name), *found_cells])
    columns = ["Format", *(f"{label}, {end}" for label in quantities.values() for end in ("base", "after"))]
    note = (
        f"Samples a step: share of the format times {prompts} x {samples} completions of one training step. "
    )
    return PageTable("What does each format cost?", columns, rows, note)


def _cost(row: dict[str, Any]) -> Cell:
    if row["quantity"] != "truncated":
        return number(row, digits=1, least=0.0)
    known = row["low"] is not None
    return share(row | {"low": max(row["low"], 0.0), "high": min(row["high"], 1.0)} if known else row)
