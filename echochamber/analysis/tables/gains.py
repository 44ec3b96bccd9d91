"""Before against after on the same problems: gains, transfer between sets (6), support (5)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import mean_interval, paired_interval, problem_weights
from ...stats.intervals import Interval, wilson
from ...stats.pass_at_k import pass_at_k, powers_up_to
from .common import ESTIMATE, estimate, shared_problems


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


def support(records: pl.LazyFrame, problem_set: str, last: int, seed: int = 0) -> pl.DataFrame:
    """Chance that a problem is kept, gained, lost or never solved within k tries, base against step `last`.

    Products of pass@k are unbiased only between independent draws, and `evaluate` gives every
    checkpoint the same random numbers. So the base's even samples meet the other model's odd ones, and
    the other way round; the two products are averaged. k goes up to half the samples. Columns: k,
    kind, value, low, high; the four kinds of one k add up to 1.
    """
    schema: dict[str, Any] = {"k": pl.Int64, "kind": pl.String} | ESTIMATE
    halves = _halves(records, problem_set, [0, last]) if last else pl.DataFrame()
    if len(halves) < 2:
        return pl.DataFrame(schema=schema)
    weights = problem_weights(len(halves), seed)
    rows = []
    fewest = min(int(halves[f"num_{step}_{half}"].to_numpy().min()) for step in (0, last) for half in (0, 1))
    for k in powers_up_to(fewest):
        solved = {
            (step, half): pass_at_k(
                halves[f"num_{step}_{half}"].to_numpy(), halves[f"right_{step}_{half}"].to_numpy(), k
            )
            for step in (0, last)
            for half in (0, 1)
        }
        pairs = [(solved[0, half], solved[last, 1 - half]) for half in (0, 1)]
        kinds = {
            "kept": [was * now for was, now in pairs],
            "gained": [(1 - was) * now for was, now in pairs],
            "lost": [was * (1 - now) for was, now in pairs],
            "never": [(1 - was) * (1 - now) for was, now in pairs],
        }
        for kind, both in kinds.items():
            chance = (both[0] + both[1]) / 2
            rows.append(
                {"k": k, "kind": kind} | estimate(float(chance.mean()), mean_interval(weights, chance))
            )
    return pl.DataFrame(rows, schema=schema)


def _halves(records: pl.LazyFrame, problem_set: str, steps: Sequence[int]) -> pl.DataFrame:
    """Per problem that has both halves of the samples at every step: num_STEP_HALF and right_STEP_HALF."""
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    half = pl.col("sample") % 2
    sums = []
    for step in steps:
        for i in (0, 1):
            own = (pl.col("step") == step) & (half == i)
            sums += [
                own.sum().alias(f"num_{step}_{i}"),
                (own & pl.col("correct")).sum().alias(f"right_{step}_{i}"),
            ]
    table = wanted.group_by("problem_id").agg(sums).sort("problem_id").collect()
    counts = [name for name in table.columns if name.startswith("num_")]
    return table.filter(pl.all_horizontal(pl.col(name) > 0 for name in counts))


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
