"""Does RL solve more problems, or the same problems more often? Coverage and precision."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
    ratio_interval,
    resampled_interval,
)
from ..page_table import Cell, PageTable, both_ends, link_to, share, signed
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, Schema, estimate, of_every_run, over_seeds
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
    schema: Schema = {"k": pl.Int64, "quantity": pl.String, "side": pl.String, **ESTIMATE}
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


def coverage_parts(inputs: Sequence[RunInputs], problem_set: str) -> list[pl.DataFrame]:
    """`coverage_precision` of every run; empty where some run has none or another k."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        return None if one.problems is None else coverage_precision(one.problems, problem_set)

    tables = of_every_run(inputs, make)
    return tables if len({table["k"][0] for table in tables}) == 1 else []


def gain_parts(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The two parts of the accuracy gain over seeds: quantity, value, low, high."""
    return over_seeds([table.filter(pl.col("side") == "gain") for table in tables], ["quantity"])


def coverage_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Coverage and precision before and after, and their parts of the accuracy gain."""
    tables = coverage_parts(inputs, problem_set)
    if not tables:
        return None
    k = tables[0]["k"][0]
    ends = [table.filter(pl.col("side") != "gain") for table in tables]
    shares = over_seeds(ends, ["quantity", "side"], clip=(0, 1)).iter_rows(named=True)
    found = {(row["quantity"], row["side"]): row for row in shares}
    gains = {row["quantity"]: row for row in gain_parts(tables).iter_rows(named=True)}
    names = {"coverage": f"coverage: pass@{k}", "precision": f"precision: accuracy / pass@{k}"}
    links = both_ends(inputs[0])
    rows = [
        [
            Cell(label),
            share(found[name, "before"]).to(links[False]),
            share(found[name, "after"]).to(links[True]),
            signed(gains[name]).to(link_to(inputs[0], change="gained")),
        ]
        for name, label in names.items()
    ]
    note = (
        f"Coverage is the share of problems that at least one of {k} tries solves. Accuracy is coverage "
        "times precision. The last column splits the accuracy gain exactly between the two."
    )
    columns = ["Part", "Before", "After", "Part of the accuracy gain"]
    question = "Does RL solve more problems, or the same problems more often?"
    return PageTable("coverage", question, columns, rows, note)
