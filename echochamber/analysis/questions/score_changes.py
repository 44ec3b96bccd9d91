"""Did the scores really change? Before against after on the same problems, in every problem set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
)
from ...stats.intervals import Interval, wilson
from ..completion_counts import shared_problems
from ..page_table import Cell, PageTable, share, signed, target
from ..run_inputs import RunInputs, problem_table
from ..runs import Run, complete_runs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds


def paired_gains(problems: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Change from the base (step 0) to the last step, per problem set and quantity.

    `problems` is the concatenated `problems.parquet` of one run. Columns: problem_set, quantity
    (accuracy, greedy_accuracy, pass@k, maj@k), before and after each with _low and _high, value
    (after - before), low, high from a bootstrap by problem in which each problem is its own control. Sets side by side are the
    transfer matrix: RL on one set, measured on all.
    """
    rows = []
    for (name,), table in problems.group_by(["problem_set"], maintain_order=True):
        before, after = paired_ends(table)
        weights = problem_weights(max(len(before), 1), seed)
        for quantity in shared_quantities(before, after):
            first, second = before[quantity].to_numpy(), after[quantity].to_numpy()
            bounds = paired_interval(weights, first, second)
            means: dict[str, float | None] = {}
            for end, values in (("before", first), ("after", second)):
                found = estimate(float(values.mean()), score_bounds(weights, values, quantity))
                means |= {end: found["value"], f"{end}_low": found["low"], f"{end}_high": found["high"]}
            rows.append(
                {"problem_set": name, "quantity": quantity}
                | means
                | estimate(float((second - first).mean()), bounds)
            )
    schema: dict[str, Any] = {
        "problem_set": pl.String,
        "quantity": pl.String,
    } | dict.fromkeys(
        [f"{end}{bound}" for end in ("before", "after") for bound in ("", "_low", "_high")], pl.Float64
    )
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def score_bounds(weights: np.ndarray, values: np.ndarray, quantity: str) -> Interval:
    """Wilson for the greedy answer (one completion a problem), else the bootstrap by problem."""
    return (
        wilson(float(values.sum()), values.size)
        if quantity == "greedy_accuracy"
        else mean_interval(weights, values)
    )


def paired_ends(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The problems that base and last step share, in one order, as float columns."""
    last = table["step"].max() if len(table) else 0
    steps = [0, int(last)] if isinstance(last, int) and last > 0 else []
    ids = shared_problems(table, steps)
    tables = [
        table.filter((pl.col("step") == step) & pl.col("problem_id").is_in(ids)).sort("problem_id")
        for step in steps
    ]
    empty = table.clear()
    return (_scores(tables[0]), _scores(tables[1])) if tables else (_scores(empty), _scores(empty))


def _scores(table: pl.DataFrame) -> pl.DataFrame:
    curves = [name for name in table.columns if name.startswith(("pass@", "maj@"))]
    accuracy = (pl.col("num_correct") / pl.col("num_samples")).alias("accuracy")
    greedy = pl.col("greedy_correct").cast(pl.Float64).alias("greedy_accuracy")
    return table.select(accuracy, greedy, *[pl.col(name).cast(pl.Float64) for name in curves])


def shared_quantities(before: pl.DataFrame, after: pl.DataFrame) -> Sequence[str]:
    """Columns that every shared problem has on both sides; the rest is not estimable."""

    def complete(table: pl.DataFrame, name: str) -> bool:
        return (
            len(table) > 1
            and table[name].null_count() == 0
            and bool(np.isfinite(table[name].to_numpy()).all())
        )

    return [
        name
        for name in before.columns
        if name in after.columns and complete(before, name) and complete(after, name)
    ]


def paired_changes(
    study: Study, runs: Sequence[Run], chosen: tuple[str, str]
) -> dict[str, tuple[float, float]]:
    """Score (accuracy, pass@8 ...) -> interval of its change in the first group, as in the table of gains; unknown ones are left out."""
    members = complete_runs([run for run in runs if run.group == runs[0].group], chosen) if runs else []
    try:
        tables = [problem_table(study, run) for run in members]
    except pl.exceptions.PolarsError:  # named by the findings, which read the same files
        return {}
    known = [paired_gains(table) for table in tables if table is not None]
    if not known or len(known) < len(members):
        return {}
    rows = over_seeds(known, ["problem_set", "quantity"]).filter(pl.col("problem_set") == chosen[0])
    return {row["quantity"]: (row["low"], row["high"]) for row in rows.to_dicts() if row["low"] is not None}


def gains_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """Paired changes in every problem set: the gains, and the transfer between sets."""
    tables = [paired_gains(one.problems) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    keys = ["problem_set", "quantity"]
    ends = [_end(tables, keys, end) for end in ("before", "after")]
    rows = []
    for change, before, after in zip(
        *(table.iter_rows(named=True) for table in (over_seeds(tables, keys), *ends)), strict=True
    ):
        if change["quantity"] in ("pass@1", "maj@1"):  # both are the accuracy
            continue
        name = change["problem_set"]
        gained = target(inputs[0], set=name, change="gained")
        rows.append(
            [
                Cell(name),
                Cell(change["quantity"].replace("_", " ")),
                share(before).to(target(inputs[0], step=0, set=name)),
                share(after).to(target(inputs[0], set=name)),
                signed(change["value"], (change["low"], change["high"])).to(gained),
            ]
        )
    note = "Each problem is its own control. " if len(inputs) == 1 else "Each seed is its own control. "
    columns = ["Problems", "Score", "Before", "After", "Change with 95% interval"]
    return PageTable("Did the scores really change?", columns, rows, note)


def _end(tables: Sequence[pl.DataFrame], keys: list[str], end: str) -> pl.DataFrame:
    """One end of the paired gains over seeds, in the order of the keys."""
    parts = [table.select(*keys, value=end, low=f"{end}_low", high=f"{end}_high") for table in tables]
    return over_seeds(parts, keys, clip=(0, 1))
