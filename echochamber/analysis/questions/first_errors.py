"""What went wrong first, where the greedy answer flipped?"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ...stats.intervals import wilson
from ..completion_counts import GREEDY
from ..page_table import Cell, PageTable, share, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds

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


def errors_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """Kinds of first error among flips of the greedy answer."""
    if any(one.records is None or not one.last for one in inputs):
        return None
    tables = [flip_errors(one.records, chosen, one.last) for one in inputs if one.records is not None]
    if set(pl.concat(tables)["first_error"]) <= {"not checked"}:
        return None
    counted = (
        pl.concat(tables).group_by("flip", "first_error", maintain_order=True).agg(pl.col("count").sum())
    )
    joined = over_seeds(
        [_every_kind(table, counted) for table in tables], ["flip", "first_error"], clip=(0, 1)
    )
    merged = joined.join(counted, on=["flip", "first_error"], how="left", maintain_order="left")
    order = merged.with_columns(first=pl.col("flip") == "right to wrong").sort(
        "first", "count", descending=[False, True], maintain_order=True
    )
    rows: list[list[Cell]] = []
    for row in order.iter_rows(named=True):
        goal = target(inputs[0], change="gained" if row["flip"] == "wrong to right" else "lost")
        rows.append(
            [
                Cell(row["flip"]),
                Cell(row["first_error"].replace("_", " ")),
                Cell(str(row["count"])).to(goal),
                share(row).to(goal),
            ]
        )
    columns = ["Flip", "First error of the wrong side", "Problems", "Share of the flip"]
    note = "Problems: a count over all seeds. Share: of the flips in that direction. "
    return PageTable("What went wrong first, where the greedy answer flipped?", columns, rows, note)


def _every_kind(table: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """A seed's table with share 0 for kinds that only other seeds have; without estimate where it has no such flip at all."""
    flips = set(table["flip"])
    grid = counted.select("flip", "first_error").join(
        table, on=["flip", "first_error"], how="left", maintain_order="left"
    )
    value = pl.when(pl.col("flip").is_in(list(flips))).then(pl.col("value").fill_null(0.0))
    return grid.with_columns(value=value)
