"""Analysis 2, selection or skill: the accuracy gain split exactly, per problem."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import paired_interval, problem_weights
from ...stats.decomposition import split_gain
from .common import ESTIMATE, estimate, matrices, shared_problems


def selection_or_skill(
    table: pl.DataFrame, last: int, formats: Sequence[str], forced: pl.DataFrame | None = None, seed: int = 0
) -> pl.DataFrame:
    """Gain, its selection part and its skill part from `common.counts` of steps 0 and `last`.

    `forced` (`common.forced_counts` of both steps) gives the accuracy of a format on problems where it
    was not written; what nobody measured stays bounded.

    Columns: part, value, low, high (bootstrap by problem), at_least, at_most. The last two are the
    range of each part over every accuracy that an unwritten format could have had; they meet in
    `value` where each format was written on both sides of every problem.
    """
    schema: dict[str, Any] = {"part": pl.String} | ESTIMATE | {"at_least": pl.Float64, "at_most": pl.Float64}
    problems = shared_problems(table, [0, last])
    if len(problems) < 2 or last == 0:
        return pl.DataFrame(schema=schema)
    before, after = (matrices(table, step, problems, formats) for step in (0, last))
    known = [matrices(forced, step, problems, formats)[1] if forced is not None else None for step in (0, last)]
    split = split_gain(*before, *after, *known)
    gain = split.selection + split.skill
    low, high = float(split.selection_low.mean()), float(split.selection_high.mean())
    mean = float(gain.mean())
    ranges = {"gain": (mean, mean), "selection": (low, high), "skill": (mean - high, mean - low)}
    weights = problem_weights(len(problems), seed)
    rows = []
    for part, values in {"gain": gain, "selection": split.selection, "skill": split.skill}.items():
        bounds = paired_interval(weights, np.zeros(len(problems)), values)
        at_least, at_most = ranges[part]
        rows.append(
            {"part": part}
            | estimate(float(values.mean()), bounds)
            | {"at_least": at_least, "at_most": at_most}
        )
    return pl.DataFrame(rows, schema=schema)
