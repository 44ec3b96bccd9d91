"""Selection or skill? The accuracy gain split exactly, per problem."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    paired_interval,
    problem_weights,
)
from ...stats.decomposition import split_gain
from ...stats.intervals import t_interval
from ..completion_counts import matrices, shared_problems
from ..page_table import Cell, PageTable, signed, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds

RANGE = ("at_least", "at_most", "at_least_low", "at_most_high")


def selection_or_skill(
    table: pl.DataFrame, last: int, formats: Sequence[str], forced: pl.DataFrame | None = None, seed: int = 0
) -> pl.DataFrame:
    """Gain, its selection part and its skill part from `completion_counts.counts` of steps 0 and `last`.

    `forced` (`completion_counts.forced_counts` of both steps) gives the accuracy of a format on problems where it
    was not written; what nobody measured stays bounded.

    Columns: part, value, low, high (bootstrap by problem), at_least, at_most, at_least_low, at_most_high.
    at_least and at_most are the range of each part over every accuracy that an unwritten format could
    have had; they meet in `value` where each format was written on both sides of every problem. The
    last two are the outer ends of their own intervals: what the part may be, sampling and ignorance together.
    """
    schema: dict[str, Any] = {"part": pl.String} | ESTIMATE | dict.fromkeys(RANGE, pl.Float64)
    problems = shared_problems(table, [0, last])
    if len(problems) < 2 or last == 0:
        return pl.DataFrame(schema=schema)
    before, after = (matrices(table, step, problems, formats) for step in (0, last))
    known = [
        matrices(forced, step, problems, formats)[1] if forced is not None else None for step in (0, last)
    ]
    split = split_gain(*before, *after, *known)
    gain = split.selection + split.skill
    parts = {
        "gain": (gain, gain, gain),
        "selection": (split.selection, split.selection_low, split.selection_high),
        "skill": (split.skill, gain - split.selection_high, gain - split.selection_low),
    }
    weights, zero = problem_weights(len(problems), seed), np.zeros(len(problems))
    rows = []
    for part, (values, least, most) in parts.items():
        outer = paired_interval(weights, zero, least)[0], paired_interval(weights, zero, most)[1]
        ends = dict(zip(RANGE, (float(least.mean()), float(most.mean()), *outer), strict=True))
        rows.append(
            {"part": part, **estimate(float(values.mean()), paired_interval(weights, zero, values)), **ends}
        )
    return pl.DataFrame(rows, schema=schema)


def selection_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """Selection against skill, with the range left open by formats that nobody measured."""
    tables = [
        selection_or_skill(one.counted, one.last, one.formats, one.forced)
        for one in inputs
        if one.counted is not None
    ]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    names = {
        "gain": "whole gain",
        "selection": "choosing more accurate formats",
        "skill": "being right more often within a format",
    }
    joined = over_seeds(tables, ["part"])
    gained = target(inputs[0], change="gained")
    rows: list[list[Cell]] = [
        [
            Cell(names[row["part"]]),
            signed(row["value"], (row["low"], row["high"])).to(gained),
            _range(tables, row["part"]).to(gained),
        ]
        for row in joined.iter_rows(named=True)
    ]
    forced = all(one.forced is not None for one in inputs)
    note = (
        "The gain is split exactly, problem by problem. Where a format was not written, its accuracy is that under forced decoding; "
        "what nobody measured is assumed unchanged, and the last column is the range over every accuracy it could have. "
        if forced
        else "The gain is split exactly, problem by problem. A format that the model no longer writes has no accuracy after RL: "
        "the estimate assumes it kept the one it had, the last column is the range over every accuracy it could have. "
    )
    columns = ["Part of the accuracy gain", "Estimate with 95% interval", "Range over what is unmeasured"]
    return PageTable("Selection or skill?", columns, rows, note)


def _range(tables: Sequence[pl.DataFrame], part: str) -> Cell:
    """`+7.8 to +38.2 [+5.1 to +41.0]`: the mean range over seeds, and the outer ends of the intervals of its two ends."""
    rows = [table.row(by_predicate=pl.col("part") == part, named=True) for table in tables]
    least, most = ([row[end] for row in rows] for end in ("at_least", "at_most"))
    if least == most:
        return Cell("nothing unmeasured", known=False)
    low, high = (
        (rows[0]["at_least_low"], rows[0]["at_most_high"])
        if len(rows) == 1
        else (t_interval(least)[0], t_interval(most)[1])
    )
    ends = (max(100 * low, -100), min(100 * high, 100))
    return Cell(
        f"{100 * sum(least) / len(least):+.1f} to {100 * sum(most) / len(most):+.1f}",
        f"{ends[0]:+.1f} to {ends[1]:+.1f}",
    )
