"""pass@k beside what it should be compared with: right by right steps, and right by chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...core.random import key
from ...stats.bootstrap import mean_interval, problem_weights
from ...stats.pass_at_k import pass_at_k, powers_up_to
from .common import ESTIMATE, estimate


def pass_variants(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], seed: int = 0
) -> pl.DataFrame:
    """pass@k of three kinds of success: `answer` right, `steps` right too, and `chance`.

    Chance: the completions are held against another problem's reference, drawn among those of the
    same family and magnitude (same number of digits) whose reference differs; what still matches
    was not solved but guessed. `steps` counts completions whose process was checked and right, and
    is left out where no process was checked. Columns: step, kind, k, value, low, high.
    """
    columns = ["step", "problem_id", "family", "reference", "answer", "correct", "process"]
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    table = wanted.select(columns).collect()
    rows = []
    for step in steps:
        part = table.filter(pl.col("step") == step)
        other = swapped_references(part, seed)
        judged = part.join(other, on="problem_id", how="left").with_columns(
            steps=pl.col("correct") & (pl.col("process") == "right_steps").fill_null(False),
            chance=(pl.col("answer") == pl.col("other")).fill_null(False),
        )
        checked = bool((part["process"].fill_null("") != "").any())
        rows += _curve(judged, step, "answer", "correct", seed)
        rows += _curve(judged, step, "steps", "steps", seed) if checked else []
        rows += _curve(judged.filter(pl.col("other").is_not_null()), step, "chance", "chance", seed)
    schema: dict[str, Any] = {"step": pl.Int64, "kind": pl.String, "k": pl.Int64}
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def swapped_references(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    """problem_id -> `other`: the reference of another problem alike, null where there is none."""
    problems = table.select("problem_id", "family", "reference").unique().sort("problem_id")
    groups: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for problem, family, reference in problems.rows():
        groups.setdefault((family or "", len((reference or "").lstrip("-"))), []).append((problem, reference))
    found = {}
    for members in groups.values():
        for problem, reference in members:
            others = [other for _, other in members if other != reference]
            found[problem] = others[key("chance floor", seed, problem) % len(others)] if others else None
    return pl.DataFrame(
        {"problem_id": list(found), "other": list(found.values())},
        schema={"problem_id": pl.String, "other": pl.String},
    )


def _curve(judged: pl.DataFrame, step: int, kind: str, column: str, seed: int) -> list[dict[str, Any]]:
    counts = judged.group_by("problem_id").agg(n=pl.len(), c=pl.col(column).sum()).sort("problem_id")
    if not len(counts):
        return []
    n, c = counts["n"].to_numpy().astype(float), counts["c"].to_numpy().astype(float)
    weights = problem_weights(len(counts), seed)
    curves = {k: pass_at_k(n, c, k) for k in powers_up_to(int(np.min(n)))}
    return [
        {"step": step, "kind": kind, "k": k} | estimate(float(v.mean()), mean_interval(weights, v))
        for k, v in curves.items()
    ]
