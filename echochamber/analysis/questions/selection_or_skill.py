"""Selection or skill? The accuracy gain split exactly into three parts, per problem."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    paired_interval,
    problem_weights,
)
from ...stats.decomposition import split_gain
from ...stats.intervals import t_interval
from ..completion_counts import matrices, shared_problems
from ..page_table import Cell, CompletionLink, PageTable, link_to, signed
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, Schema, estimate, of_every_run, over_seeds

RANGE = ("at_least", "at_most", "at_least_low", "at_most_high")

CHOICE, SKILL, INTERACTION = "choice_at_base_skill", "skill_at_base_shares", "interaction"
PARTS = {
    "gain": "whole gain",
    CHOICE: "choice at the base’s skill: writing more often what the base did better",
    SKILL: "skill at the base’s shares: being right more often within a format",
    INTERACTION: "interaction: writing more often what also became better",
}
"""Parts of the accuracy gain and how they are called on the page."""
EXACT = "The gain is split exactly into three parts, problem by problem. "
FORCED = (
    "Where a format was not written, its accuracy is measured by forced decoding. What was not measured is "
    "assumed unchanged. The last column is the range over every accuracy it could have."
)
UNFORCED = (
    "A format that the model no longer writes has no accuracy after RL. The estimate assumes that it kept "
    "its earlier accuracy. The last column is the range over every accuracy it could have."
)


def selection_or_skill(
    table: pl.DataFrame, last: int, formats: Sequence[str], forced: pl.DataFrame | None = None, seed: int = 0
) -> pl.DataFrame:
    """Gain, choice, skill and their interaction from `completion_counts.counts` of steps 0 and `last`.

    `forced` (`completion_counts.forced_counts` of both steps) gives the accuracy of a format on problems
    where it was not written; what nobody measured stays bounded.

    Columns: part, value, low, high (bootstrap by problem), at_least, at_most, at_least_low, at_most_high.
    at_least and at_most are the range of each part over every accuracy that an unwritten format could
    have had; they meet in `value` where each format was written on both sides of every problem. The
    last two are the outer ends of their own intervals: what the part may be, sampling and ignorance together.
    """
    schema: Schema = {"part": pl.String, **ESTIMATE, **dict.fromkeys(RANGE, pl.Float64)}
    problems = shared_problems(table, [0, last])
    if len(problems) < 2 or last == 0:
        return pl.DataFrame(schema=schema)
    before, after = (matrices(table, step, problems, formats) for step in (0, last))
    known = [
        matrices(forced, step, problems, formats)[1] if forced is not None else None for step in (0, last)
    ]
    split = split_gain(*before, *after, *known)
    gain = split.choice.value + split.skill.value + split.interaction.value
    parts = {
        "gain": (gain, gain, gain),
        CHOICE: split.choice,
        SKILL: split.skill,
        INTERACTION: split.interaction,
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


def selection_parts(inputs: Sequence[RunInputs]) -> list[pl.DataFrame]:
    """`selection_or_skill` of every run; empty where some run has none."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        return (
            None
            if one.counted is None
            else selection_or_skill(one.counted, one.last, one.formats, one.forced)
        )

    return of_every_run(inputs, make)


def selection_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Choice, skill and interaction, with the range that formats which nobody measured leave open."""
    tables = selection_parts(inputs)
    if not tables:
        return None
    link = link_to(inputs[0], change="gained")
    rows = [
        [Cell(PARTS[row["part"]]), signed(row).to(link), _range_cell(tables, row["part"], link)]
        for row in over_seeds(tables, ["part"]).iter_rows(named=True)
    ]
    columns = ["Part of the accuracy gain", "Estimate with 95% interval", "Range over unmeasured accuracies"]
    question = "Is the accuracy gain choice, skill or both at once?"
    note = EXACT + (FORCED if all(one.forced is not None for one in inputs) else UNFORCED)
    return PageTable("selection_or_skill", question, columns, rows, note)


def _range_cell(tables: Sequence[pl.DataFrame], part: str, link: CompletionLink) -> Cell:
    """`+7.8 to +38.2` with `+5.1 to +41.0`: the mean range over seeds, and the outer ends of the intervals
    of its two ends."""
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
    means = (100 * sum(least) / len(least), 100 * sum(most) / len(most))
    return Cell(f"{means[0]:+.1f} to {means[1]:+.1f}", f"{ends[0]:+.1f} to {ends[1]:+.1f}").to(link)
