"""Coverage or precision: are more problems solved, or the same ones more often?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
    ratio_interval,
    resampled_interval,
)
from ..page_table import Cell, PageTable, share, signed, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds
from .score_changes import paired_ends


def coverage_precision(problems: pl.DataFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """Accuracy = coverage x precision at the largest k that both ends have, and the gain split between them.

    Coverage is pass@k, precision is accuracy / pass@k: how often one try is right, weighed by what k
    tries can solve. The gain is the sum of (change of coverage) x (mean precision) and (mean coverage)
    x (change of precision), exactly. Columns: k, quantity (coverage, precision), side (before, after,
    gain), value, low, high; the gain's are the parts of the accuracy gain. Qin et al. 2025 (2505.22756).
    """
    before, after = paired_ends(problems.filter(pl.col("problem_set") == problem_set))
    ks = [
        int(name[5:])
        for name in before.columns
        if name.startswith("pass@") and _complete(before, after, name)
    ]
    schema: dict[str, Any] = {"k": pl.Int64, "quantity": pl.String, "side": pl.String} | ESTIMATE
    if not ks or max(ks) < 2:
        return pl.DataFrame(schema=schema)
    k = max(ks)
    weights = problem_weights(len(before), seed)
    rows = []
    sides = {"before": before, "after": after}
    pairs = {
        side: (table["accuracy"].to_numpy(), table[f"pass@{k}"].to_numpy()) for side, table in sides.items()
    }
    for side, (right, covered) in pairs.items():
        precision = float(right.sum() / covered.sum()) if covered.sum() else np.nan
        head = {"k": k, "side": side}
        rows.append(
            head | {"quantity": "coverage"} | estimate(float(covered.mean()), mean_interval(weights, covered))
        )
        rows.append(
            head | {"quantity": "precision"} | estimate(precision, ratio_interval(weights, right, covered))
        )
    parts = _split(pairs["before"], pairs["after"], np.ones((1, len(before))))
    drawn = _split(pairs["before"], pairs["after"], weights)
    for name, value in parts.items():
        still = bool(np.ptp(drawn[name]) == 0)  # not one problem differs: that is no certainty
        same = np.zeros(len(before))
        bounds = (
            paired_interval(weights, same, same) if still else resampled_interval(drawn[name], len(before))
        )
        rows.append({"k": k, "quantity": name, "side": "gain"} | estimate(float(value[0]), bounds))
    return pl.DataFrame(rows, schema=schema)


def _split(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Both parts of the gain for every row of `weights` (R, P): (R,) each."""
    total = weights.sum(1)
    (right0, covered0), (right1, covered1) = ((weights @ r, weights @ c) for r, c in (before, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision0, precision1 = right0 / covered0, right1 / covered1
    mean_precision, mean_coverage = (precision0 + precision1) / 2, (covered0 + covered1) / total / 2
    return {
        "coverage": (covered1 - covered0) / total * mean_precision,
        "precision": mean_coverage * (precision1 - precision0),
    }


def _complete(before: pl.DataFrame, after: pl.DataFrame, name: str) -> bool:
    tables = (before, after)
    return len(before) > 1 and all(name in t.columns and t[name].null_count() == 0 for t in tables)


def coverage_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """More problems solved at all, or solved ones solved more often."""
    tables = [coverage_precision(one.problems, chosen) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs) or len({table["k"][0] for table in tables}) > 1:
        return None
    k = tables[0]["k"][0]
    shares = over_seeds(
        [t.filter(pl.col("side") != "gain") for t in tables], ["quantity", "side"], clip=(0, 1)
    )
    cells = {(row["quantity"], row["side"]): share(row) for row in shares.iter_rows(named=True)}
    gains = over_seeds([t.filter(pl.col("side") == "gain") for t in tables], ["quantity"])
    parts = {
        row["quantity"]: signed(row["value"], (row["low"], row["high"]))
        for row in gains.iter_rows(named=True)
    }
    names = {
        "coverage": f"coverage: pass@{k}",
        "precision": f"precision: accuracy / pass@{k}",
    }
    goals = (target(inputs[0], step=0), target(inputs[0]), target(inputs[0], change="gained"))
    rows = [
        [
            Cell(label),
            *(
                cell.to(goal)
                for cell, goal in zip(
                    (cells[name, "before"], cells[name, "after"], parts[name]), goals, strict=True
                )
            ),
        ]
        for name, label in names.items()
    ]
    note = f"Coverage: a problem is solved at all within {k} tries. Accuracy is coverage times precision; the last column splits its gain between the two, exactly. "
    return PageTable(
        "More problems, or the same ones more often?", ["Part", "Before", "After", "Of the gain"], rows, note
    )
