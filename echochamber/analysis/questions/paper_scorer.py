"""The main numbers under the paper's own scorer beside ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    problem_weights,
    ratio_interval,
)
from ...stats.pass_at_k import pass_at_k, powers_up_to
from ..page_table import NOT_ESTIMABLE, Cell, PageTable, share, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds


def two_scorers(
    records: pl.LazyFrame, problem_set: str, steps: tuple[int, int], seed: int = 0
) -> pl.DataFrame:
    """Shares and accuracy at two steps by our grader and by the paper's: step, scorer, quantity, value, low, high.

    Empty where no completion carries the legacy columns.
    """
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    table = wanted.select(
        "step", "problem_id", "format", "correct", "legacy_format", "legacy_correct"
    ).collect()
    schema: dict[str, Any] = {"step": pl.Int64, "scorer": pl.String, "quantity": pl.String} | ESTIMATE
    if not len(table) or table["legacy_format"].null_count() == len(table):
        return pl.DataFrame(schema=schema)
    rows = []
    for step in steps:
        part = table.filter(pl.col("step") == step)
        if not len(part):
            continue
        for scorer, prefix in (("ours", ""), ("the paper's", "legacy_")):
            rows += [
                {"step": step, "scorer": scorer} | row
                for row in _headline(part, f"{prefix}correct", f"{prefix}format", seed)
            ]
    return pl.DataFrame(rows, schema=schema)


def _headline(part: pl.DataFrame, correct: str, form: str, seed: int) -> list[dict[str, Any]]:
    """Quantities of one checkpoint by one scorer."""
    right = pl.col(correct).fill_null(False)
    sums = [pl.len().alias("num"), right.sum().alias("right")]
    names = sorted(set(part[form].drop_nulls()))
    for i, name in enumerate(names):
        own = (pl.col(form) == name).fill_null(False)
        sums += [own.sum().alias(f"num_{i}"), (own & right).sum().alias(f"right_{i}")]
    table = part.group_by("problem_id").agg(sums).sort("problem_id")
    weights = problem_weights(max(len(table), 1), seed)
    num, hits = (table[name].to_numpy().astype(float) for name in ("num", "right"))
    k = powers_up_to(int(num.min()))[-1]
    solved = pass_at_k(num, hits, k)
    rows = [{"quantity": "accuracy"} | _ratio(weights, hits, num)]
    rows += (
        [{"quantity": f"pass@{k}"} | estimate(float(solved.mean()), mean_interval(weights, solved))]
        if k > 1
        else []
    )
    for i, name in enumerate(names):
        own, own_right = (table[f"{column}_{i}"].to_numpy().astype(float) for column in ("num", "right"))
        rows += [
            {"quantity": f"share of {name}"} | _ratio(weights, own, num),
            {"quantity": f"accuracy of {name}"} | _ratio(weights, own_right, own),
        ]
    return rows


def _ratio(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> dict[str, float | None]:
    return estimate(float(top.sum() / bottom.sum()), ratio_interval(weights, top, bottom))


def scorers_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """The headline numbers under the paper's own scorer beside ours."""
    found = [
        two_scorers(one.records, chosen, (0, one.last)).with_columns(last=pl.col("step") > 0)
        for one in inputs
        if one.records is not None and one.last
    ]
    if len(found) < len(inputs) or not all(len(table) for table in found):
        return None
    complete = [_with_unwritten(table, found) for table in found]
    keys = ["scorer", "quantity", "last"]
    cells = {
        tuple(row[key] for key in keys): share(row)
        for row in over_seeds(complete, keys, clip=(0, 1)).iter_rows(named=True)
    }
    goals = {False: target(inputs[0], step=0), True: target(inputs[0])}
    rows = [
        [
            Cell(scorer),
            Cell(quantity),
            *(cells.get((scorer, quantity, last), NOT_ESTIMABLE).to(goal) for last, goal in goals.items()),
        ]
        for scorer, quantity in dict.fromkeys(key[:2] for key in cells)
    ]
    note = "The paper’s scorer labels a completion by the letters “def” or a tag and reads the number from its text where a program fails. "
    return PageTable(
        "And under the paper’s own scorer?", ["Scorer", "Quantity", "Before", "After"], rows, note
    )


def _with_unwritten(table: pl.DataFrame, all_tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`table` with a share of 0, without an interval of its own, for each label that only other seeds or steps have."""
    wanted = pl.concat([other.select("scorer", "quantity") for other in all_tables]).unique(
        maintain_order=True
    )
    grid = wanted.join(pl.DataFrame({"last": [False, True]}), how="cross")
    return grid.join(
        table, on=["scorer", "quantity", "last"], how="left", maintain_order="left"
    ).with_columns(
        value=pl.when(pl.col("quantity").str.starts_with("share of "))
        .then(pl.col("value").fill_null(0.0))
        .otherwise(pl.col("value"))
    )
