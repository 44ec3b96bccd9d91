"""Analyses 7 and 8: kinds of first error among flips, and the numbers under the paper's own scorer."""

from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import mean_interval, problem_weights, ratio_interval
from ...stats.intervals import wilson
from ...stats.pass_at_k import pass_at_k, powers_up_to
from .common import ESTIMATE, GREEDY, estimate

FLIPS = {"wrong to right": (False, True), "right to wrong": (True, False)}


def flip_errors(records: pl.LazyFrame, problem_set: str, last: int) -> pl.DataFrame:
    """First errors of the wrong side of every flip of the greedy answer between base and `last`.

    Columns: flip, first_error (`not checked` where the world has no process truth), count, value
    (share of that flip), low, high (Wilson: one completion per problem).
    """
    columns = ["problem_id", "step", "correct", "first_error"]
    wanted = records.filter((pl.col("sample") == GREEDY) & (pl.col("problem_set") == problem_set))
    greedy = wanted.select(columns).filter(pl.col("step").is_in([0, last])).collect()
    pairs = greedy.filter(pl.col("step") == 0).join(
        greedy.filter(pl.col("step") == last), on="problem_id", suffix="_after"
    )
    rows = []
    for flip, (before, after) in FLIPS.items():
        flipped = pairs.filter((pl.col("correct") == before) & (pl.col("correct_after") == after))
        wrong = (
            flipped["first_error_after" if before else "first_error"].fill_null("").replace("", "not checked")
        )
        for kind, number in (
            wrong.value_counts(sort=True)
            .sort("count", "first_error" + ("_after" if before else ""), descending=[True, False])
            .rows()
        ):
            cells = {"flip": flip, "first_error": kind, "count": number}
            rows.append(cells | estimate(number / len(flipped), wilson(number, len(flipped))))
    return pl.DataFrame(
        rows, schema=dict[str, Any](flip=pl.String, first_error=pl.String, count=pl.Int64) | ESTIMATE
    )


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
