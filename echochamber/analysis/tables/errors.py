"""Analyses 7 and 8: kinds of first error among flips, and the numbers under the paper's own scorer."""

from typing import Any

import polars as pl

from ...stats.bootstrap import problem_weights, ratio_interval
from ...stats.intervals import wilson
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
        for scorer, prefix in (("ours", ""), ("the paper's", "legacy_")):
            indicators = {"accuracy": pl.col(f"{prefix}correct").fill_null(False)}
            indicators |= {
                f"share of {name}": pl.col(f"{prefix}format") == name
                for name in sorted(set(part[f"{prefix}format"].drop_nulls()))
            }
            per_problem = (
                part.group_by("problem_id")
                .agg(pl.len(), *[value.sum().alias(name) for name, value in indicators.items()])
                .sort("problem_id")
            )
            weights = problem_weights(max(len(per_problem), 1), seed)
            for name in indicators:
                num, den = per_problem[name].to_numpy(), per_problem["len"].to_numpy()
                cells = {"step": step, "scorer": scorer, "quantity": name}
                rows.append(cells | estimate(float(num.sum() / den.sum()), ratio_interval(weights, num, den)))
    return pl.DataFrame(rows, schema=schema)
