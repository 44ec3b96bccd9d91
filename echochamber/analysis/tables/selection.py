"""Analysis 2, selection or skill: the accuracy gain split exactly, per problem."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import paired_interval, problem_weights
from ...stats.decomposition import split_gain
from .common import ESTIMATE, estimate, matrices, shared_problems

RANGE = ("at_least", "at_most", "at_least_low", "at_most_high")


def selection_or_skill(
    table: pl.DataFrame, last: int, formats: Sequence[str], forced: pl.DataFrame | None = None, seed: int = 0
) -> pl.DataFrame:
    """Gain, its selection part and its skill part from `common.counts` of steps 0 and `last`.

    `forced` (`common.forced_counts` of both steps) gives the accuracy of a format on problems where it
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
