"""What changed inside a format? Shares of its style features."""

from collections.abc import Sequence

import polars as pl

from ...stats.bootstrap import (
    problem_weights,
    ratio_interval,
)
from ..page_table import Cell, PageTable, both_ends, share
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, Schema, estimate, over_seeds

FEW = 20
"""Completions of a format at one step, under which its style is not reported."""


def style_shares(records: pl.LazyFrame, problem_set: str) -> pl.DataFrame:
    """Style features inside a format over steps: step, format, feature, value, completions, share.

    Shares are of the format's completions in which the feature was measured.
    """
    columns = [name for name in records.collect_schema().names() if name.startswith("style_")]
    wanted = records.filter((pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set))
    keys = ["step", "format", "feature"]
    schema: Schema = {
        "step": pl.Int64,
        "format": pl.String,
        "feature": pl.String,
        "value": pl.String,
        "completions": pl.UInt32,
        "share": pl.Float64,
    }
    tables = []
    for column in columns:
        measured = wanted.filter(pl.col(column).is_not_null())
        table = measured.group_by("step", "format", value=pl.col(column)).agg(
            completions=pl.len().cast(pl.UInt32)
        )
        tables.append(table.with_columns(feature=pl.lit(column.removeprefix("style_"))).collect())
    if not tables:
        return pl.DataFrame(schema=schema)
    joined = pl.concat(tables)
    total = pl.col("completions").sum().over(keys)
    return (
        joined.with_columns(share=pl.col("completions") / total).select(list(schema)).sort([*keys, "value"])
    )


def style_changes(records: pl.LazyFrame, problem_set: str, last: int, seed: int = 0) -> pl.DataFrame:
    """Shares of style features at the base and at `last`: format, feature, word, step, value, low, high.

    Formats and features that both steps have, at least `FEW` completions each; bootstrap by problem.
    """
    table = style_estimates(records, problem_set, [0, last], seed)
    both = pl.col("step").n_unique().over("format", "feature") == 2
    return table.filter(both)


def style_estimates(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], seed: int = 0
) -> pl.DataFrame:
    """`style_changes`' columns at any steps.

    A word is there at every step at which its format has `FEW` measured completions.
    """
    names = [name for name in records.collect_schema().names() if name.startswith("style_")]
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    rows = []
    for name in names:
        measured = wanted.filter(pl.col(name).is_not_null())
        counted = (
            measured.group_by("step", "format", "problem_id", word=pl.col(name)).agg(num=pl.len()).collect()
        )
        for (format_name,), part in counted.sort("format", "step").group_by(["format"], maintain_order=True):
            words = sorted(set(part["word"]))
            for (step,), side in part.group_by(["step"], maintain_order=True):
                if side["num"].sum() < FEW:
                    continue
                head = {"format": format_name, "feature": name.removeprefix("style_"), "step": step}
                rows += [head | {"word": word} | _feature_share(side, word, seed) for word in words]
    schema: Schema = {"format": pl.String, "feature": pl.String, "word": pl.String, "step": pl.Int64}
    return pl.DataFrame(rows, schema=schema | ESTIMATE).sort("format", "feature", "word", "step")


def _feature_share(side: pl.DataFrame, word: str, seed: int) -> dict[str, float | None]:
    own = pl.col("num").filter(pl.col("word") == word).sum()
    counted = side.group_by("problem_id").agg(own=own, den=pl.col("num").sum()).sort("problem_id")
    num, den = counted["own"].to_numpy(), counted["den"].to_numpy()
    bounds = ratio_interval(problem_weights(len(counted), seed), num, den)
    return estimate(float(num.sum() / den.sum()), bounds)


def style_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Style features inside a format that changed clearly."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        if one.records is None or not one.last:
            return None
        return style_changes(one.records, problem_set, one.last).with_columns(last=pl.col("step") > 0)

    tables = [table for one in inputs if (table := make(one)) is not None]
    if len(tables) < len(inputs):
        return None
    table = over_seeds(tables, ["format", "feature", "word", "last"], clip=(0, 1))
    rows, pairs = [], 0
    for (name, feature, word), pair in table.group_by("format", "feature", "word", maintain_order=True):
        if len(pair) < 2 or pair["low"].null_count():
            continue
        pairs += 1
        before, after = (pair.filter(pl.col("last") == last).row(0, named=True) for last in (False, True))
        if before["high"] < after["low"] or after["high"] < before["low"]:
            style = f"{feature}: {word}".replace("_", " ")
            cells = (
                share(row).to(both_ends(inputs[0], str(name))[last])
                for last, row in ((False, before), (True, after))
            )
            rows.append([Cell(str(name)), Cell(style), *cells])
    if not rows:
        return None
    note = (
        "Style features whose intervals before and after do not overlap, in formats that both checkpoints "
        f"write. {pairs} features were compared."
    )
    columns = ["Format", "Style feature", "Before", "After"]
    question = "How did the style inside each format change?"
    return PageTable("format_style", question, columns, rows, note)
