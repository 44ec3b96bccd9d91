"""Did the scores change? Before and after RL on the same problems, in every problem set."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
)
from ...stats.intervals import Interval, wilson
from ..completion_counts import shared_problems
from ..page_table import Cell, PageTable, link_to, share, signed
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, Schema, estimate, of_every_run, over_seeds

KEYS = ("problem_set", "quantity")


def paired_gains(problems: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Change from the base (step 0) to the last step, per problem set and quantity.

    `problems` is the concatenated `problems.parquet` of one run. Columns: problem_set, quantity
    (accuracy, greedy_accuracy, pass@k, maj@k), before and after each with _low and _high, value
    (after - before), low, high. The interval is a bootstrap by problem in which each problem is its own
    control. Sets side by side are the transfer matrix: RL on one set, measured on all.
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
    ends = [f"{end}{bound}" for end in ("before", "after") for bound in ("", "_low", "_high")]
    schema: Schema = {**dict.fromkeys(KEYS, pl.String), **dict.fromkeys(ends, pl.Float64), **ESTIMATE}
    return pl.DataFrame(rows, schema=schema)


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
    if not steps:
        return _scores(table.clear().lazy()), _scores(table.clear().lazy())
    shared = pl.col("problem_id").is_in(ids)
    before, after = (
        _scores(table.lazy().filter((pl.col("step") == step) & shared).sort("problem_id")) for step in steps
    )
    return before, after


def _scores(table: pl.LazyFrame) -> pl.DataFrame:
    names = table.collect_schema().names()
    curves = [name for name in names if name.startswith(("pass@", "maj@"))]
    accuracy = (pl.col("num_correct") / pl.col("num_samples")).alias("accuracy")
    greedy = pl.col("greedy_correct").cast(pl.Float64).alias("greedy_accuracy")
    return table.select(accuracy, greedy, *[pl.col(name).cast(pl.Float64) for name in curves]).collect()


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


def paired_changes(inputs: Sequence[RunInputs], problem_set: str) -> dict[str, tuple[float, float]]:
    """Score (accuracy, pass@8 ...) -> interval of its change, as in the table; unknown ones are left out."""
    tables = of_every_run(inputs, _gains)
    if not tables:
        return {}
    rows = over_seeds(tables, KEYS).filter(pl.col("problem_set") == problem_set)
    return {row["quantity"]: (row["low"], row["high"]) for row in rows.to_dicts() if row["low"] is not None}


def gains_over_seeds(inputs: Sequence[RunInputs]) -> pl.DataFrame | None:
    """`paired_gains` of a group: problem_set, quantity, value, low, high."""
    tables = of_every_run(inputs, _gains)
    return over_seeds(tables, KEYS) if tables else None


def gains_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Paired changes in every problem set: the gains, and the transfer between sets."""
    tables = of_every_run(inputs, _gains)
    if not tables:
        return None
    frames = (over_seeds(tables, KEYS), _end(tables, "before"), _end(tables, "after"))
    rows = []
    for change, before, after in zip(*(table.iter_rows(named=True) for table in frames), strict=True):
        if change["quantity"] in ("pass@1", "maj@1"):  # both are the accuracy
            continue
        first, last = (link_to(inputs[0], step, set=change["problem_set"]) for step in (0, None))
        rows.append(
            [
                Cell(change["problem_set"]),
                Cell(change["quantity"].replace("_", " ")),
                share(before).to(first),
                share(after).to(last),
                signed(change).to(link_to(inputs[0], set=change["problem_set"], change="gained")),
            ]
        )
    unit = "problem" if len(inputs) == 1 else "seed"
    columns = ["Problem set", "Score", "Before", "After", "Change with 95% interval"]
    note = f"Changes are paired: each {unit} is its own control."
    return PageTable("score_changes", "Did the scores change?", columns, rows, note)


_FOUND: WeakKeyDictionary[RunInputs, pl.DataFrame | None] = WeakKeyDictionary()


def _gains(one: RunInputs) -> pl.DataFrame | None:
    """`paired_gains` of one run, made once: the headline and the table show the same numbers."""
    if one not in _FOUND:
        _FOUND[one] = None if one.problems is None else paired_gains(one.problems)
    return _FOUND[one]


def _end(tables: Sequence[pl.DataFrame], end: str) -> pl.DataFrame:
    """One end of the paired gains over seeds, in the order of the keys."""
    parts = [table.select(*KEYS, value=end, low=f"{end}_low", high=f"{end}_high") for table in tables]
    return over_seeds(parts, KEYS, clip=(0, 1))
