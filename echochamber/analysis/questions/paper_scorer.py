"""What are the results under the paper's own scorer?"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    problem_weights,
    ratio_interval,
)
from ...stats.pass_at_k import pass_at_k, powers_up_to
from ..page_table import Cell, PageTable, both_ends, share
from ..run_inputs import RunInputs
from ..study_folder import JsonObject
from .estimates import ESTIMATE, UNKNOWN, Schema, estimate, of_every_run, over_seeds

SCORERS = {"ours": "ours", "paper": "the paper’s"}
KEYS = ("scorer", "quantity", "format")


def two_scorers(
    records: pl.LazyFrame, problem_set: str, steps: tuple[int, int], seed: int = 0
) -> pl.DataFrame:
    """Shares and accuracy at two steps by our grader and by the paper's.

    Columns: step, scorer (`ours`, `paper`), quantity (accuracy, pass@K, format_share, format_accuracy),
    format (empty where the quantity is of no format), value, low, high. Empty where no completion carries
    the legacy columns.
    """
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    table = wanted.select(
        "step", "problem_id", "format", "correct", "legacy_format", "legacy_correct"
    ).collect()
    schema: Schema = {"step": pl.Int64, "scorer": pl.String, "quantity": pl.String, "format": pl.String}
    schema |= ESTIMATE
    if not len(table) or table["legacy_format"].null_count() == len(table):
        return pl.DataFrame(schema=schema)
    rows = []
    for step in steps:
        part = table.filter(pl.col("step") == step)
        if not len(part):
            continue
        for scorer, prefix in (("ours", ""), ("paper", "legacy_")):
            rows += [
                {"step": step, "scorer": scorer} | row
                for row in _scores_of(part, f"{prefix}correct", f"{prefix}format", seed)
            ]
    return pl.DataFrame(rows, schema=schema)


def _scores_of(part: pl.DataFrame, correct: str, label: str, seed: int) -> list[JsonObject]:
    """Quantities of one checkpoint by one scorer, from its columns `correct` and `label`."""
    right = pl.col(correct).fill_null(False)
    sums = [pl.len().alias("num"), right.sum().alias("right")]
    names = sorted(set(part[label].drop_nulls()))
    for i, name in enumerate(names):
        own = (pl.col(label) == name).fill_null(False)
        sums += [own.sum().alias(f"num_{i}"), (own & right).sum().alias(f"right_{i}")]
    table = part.group_by("problem_id").agg(sums).sort("problem_id")
    weights = problem_weights(max(len(table), 1), seed)
    num, hits = (table[name].to_numpy().astype(float) for name in ("num", "right"))
    k = powers_up_to(int(num.min()))[-1]
    rows = [{"quantity": "accuracy", "format": ""} | _ratio(weights, hits, num)]
    if k > 1:
        solved = pass_at_k(num, hits, k)
        interval = mean_interval(weights, solved)
        rows.append({"quantity": f"pass@{k}", "format": ""} | estimate(float(solved.mean()), interval))
    for i, name in enumerate(names):
        own, own_right = (table[f"{column}_{i}"].to_numpy().astype(float) for column in ("num", "right"))
        rows += [
            {"quantity": "format_share", "format": name} | _ratio(weights, own, num),
            {"quantity": "format_accuracy", "format": name} | _ratio(weights, own_right, own),
        ]
    return rows


def _ratio(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> dict[str, float | None]:
    return estimate(float(top.sum() / bottom.sum()), ratio_interval(weights, top, bottom))


def scores_by_scorer(inputs: Sequence[RunInputs], problem_set: str) -> list[pl.DataFrame]:
    """`two_scorers` of every run at both ends, with the column `last`; empty where some run has none."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        if one.records is None or not one.last:
            return None
        return two_scorers(one.records, problem_set, (0, one.last)).with_columns(last=pl.col("step") > 0)

    return of_every_run(inputs, make)


def quantity_label(quantity: str, format_name: str) -> str:
    """A quantity in words: `accuracy`, `pass@8`, `share of omi1`."""
    of_format = {"format_share": "share of", "format_accuracy": "accuracy of"}
    return f"{of_format[quantity]} {format_name}" if quantity in of_format else quantity


def scorers_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """The main numbers under the paper's own scorer beside ours."""
    tables = scores_by_scorer(inputs, problem_set)
    if not tables:
        return None
    keys = [*KEYS, "last"]
    joined = over_seeds([_with_unwritten(table, tables) for table in tables], keys, clip=(0, 1))
    found = {tuple(row[key] for key in keys): row for row in joined.iter_rows(named=True)}
    links = both_ends(inputs[0])
    rows = [
        [
            Cell(SCORERS[scorer]),
            Cell(quantity_label(quantity, name)),
            *(
                share(found.get((scorer, quantity, name, last), UNKNOWN)).to(link)
                for last, link in links.items()
            ),
        ]
        for scorer, quantity, name in dict.fromkeys(key[:3] for key in found)
    ]
    columns = ["Scorer", "Quantity", "Before", "After"]
    note = (
        "The paper’s scorer assigns a format by the letters “def” or by a tag. Where a program fails, it "
        "reads the number from the text."
    )
    question = "What are the results under the paper’s own scorer?"
    return PageTable("paper_scorer", question, columns, rows, note)


def _with_unwritten(table: pl.DataFrame, all_tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """`table` with a share of 0, without an interval, for each format that only other seeds or steps have."""
    wanted = pl.concat([other.select(KEYS) for other in all_tables]).unique(maintain_order=True)
    grid = wanted.join(pl.DataFrame({"last": [False, True]}), how="cross")
    joined = grid.join(table, on=[*KEYS, "last"], how="left", maintain_order="left")
    is_share = pl.col("quantity") == "format_share"
    filled = pl.when(is_share).then(pl.col("value").fill_null(0.0)).otherwise(pl.col("value"))
    return joined.with_columns(value=filled)
