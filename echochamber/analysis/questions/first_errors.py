"""What was the first error where the greedy answer flipped?"""

from collections.abc import Sequence

import polars as pl

from ...stats.intervals import wilson
from ..completion_counts import GREEDY
from ..page_table import Cell, PageTable, link_to, share
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, Schema, estimate, over_seeds

FLIPS = {"gained": (False, True), "lost": (True, False)}
"""Flip -> whether the greedy answer was right before and after."""
FLIP_LABELS = {"gained": "wrong to right", "lost": "right to wrong"}
SCHEMA: Schema = {"flip": pl.String, "first_error": pl.String, "count": pl.Int64, **ESTIMATE}


def flip_errors(records: pl.LazyFrame, problem_set: str, last: int) -> pl.DataFrame:
    """First errors of the wrong side of every flip of the greedy answer between base and `last`.

    Columns: flip (`gained`: wrong before, right after; `lost`), first_error (empty where the world has no
    process truth), count, value (share of that flip), low, high (Wilson: one completion per problem).
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
        wrong = flipped["first_error_after" if before else "first_error"].fill_null("")
        for kind, number in (
            wrong.value_counts(sort=True)
            .sort("count", "first_error" + ("_after" if before else ""), descending=[True, False])
            .rows()
        ):
            cells = {"flip": flip, "first_error": kind, "count": number}
            rows.append(cells | estimate(number / len(flipped), wilson(number, len(flipped))))
    return pl.DataFrame(rows, schema=SCHEMA)


def error_label(first_error: str) -> str:
    """A kind of first error in words."""
    return first_error.replace("_", " ") or "not checked"


def errors_of_runs(inputs: Sequence[RunInputs], problem_set: str) -> list[pl.DataFrame]:
    """`flip_errors` of every run; empty where some run has no completions or no process was checked."""
    tables = [
        flip_errors(one.records, problem_set, one.last)
        for one in inputs
        if one.records is not None and one.last
    ]
    checked = len(tables) == len(inputs) and set(pl.concat(tables)["first_error"]) - {""}
    return tables if checked else []


def errors_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Kinds of first error among flips of the greedy answer."""
    tables = errors_of_runs(inputs, problem_set)
    if not tables:
        return None
    keys = ["flip", "first_error"]
    counted = pl.concat(tables).group_by(keys, maintain_order=True).agg(pl.col("count").sum())
    joined = over_seeds([_every_kind(table, counted) for table in tables], keys, clip=(0, 1))
    merged = joined.join(counted, on=keys, how="left", maintain_order="left")
    order = merged.with_columns(lost=pl.col("flip") == "lost").sort(
        "lost", "count", descending=[False, True], maintain_order=True
    )
    rows = []
    for row in order.iter_rows(named=True):
        link = link_to(inputs[0], change=row["flip"])
        rows.append(
            [
                Cell(FLIP_LABELS[row["flip"]]),
                Cell(error_label(row["first_error"])),
                Cell(str(row["count"])).to(link),
                share(row).to(link),
            ]
        )
    columns = ["Flip", "First error of the wrong answer", "Problems", "Share of the flip"]
    note = "Problems: a count over all seeds. Share: of the flips in that direction."
    question = "What was the first error where the greedy answer flipped?"
    return PageTable("first_errors", question, columns, rows, note)


def _every_kind(table: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """A seed's table with share 0 for kinds that only other seeds have.

    Without any flip in that direction the share has no estimate.
    """
    flips = set(table["flip"])
    grid = counted.select("flip", "first_error").join(
        table, on=["flip", "first_error"], how="left", maintain_order="left"
    )
    value = pl.when(pl.col("flip").is_in(list(flips))).then(pl.col("value").fill_null(0.0))
    return grid.with_columns(value=value)
