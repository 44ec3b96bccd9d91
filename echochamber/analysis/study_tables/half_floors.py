"""The chance floor of pass@k on either half of the samples, so that a fall can be measured above it."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from ...core.study_tables import half_floor_item
from ...stats.pass_at_k import pass_at_k
from ..questions.chance_floor import chance_matches
from ..runs import Run
from ..stage_files import scan_table
from ..study_folder import StoredStudy


def half_floors(study: StoredStudy, run: Run, k: int) -> Iterator[tuple[str, str, float]]:
    """(analysis, item, value) of every further evaluation on test with `k` samples in each half.

    The analysis is `half_floors/SET`, the item names temperature, step and half as in the table `halves`.
    """
    for node in run.further:
        scan = scan_table(study, node, "records.parquet")
        if scan is None:
            continue
        sampled = scan.filter(
            (pl.col("sample") >= 0) & (pl.col("outcome") != "infrastructure") & (pl.col("split") == "test")
        ).with_columns(
            half=(pl.col("sample") % 2).cast(pl.Int64),
            temperature=pl.col("temperature").cast(pl.Float64).round(6),
        )
        keys = ["problem_set", "temperature", "step", "half"]
        columns = ["problem_id", "family", "reference", "answer"]
        table = sampled.select(*keys, *columns).collect()
        for key, part in table.group_by(keys, maintain_order=True):
            value = chance_pass(part.select(columns), k)
            if value is not None:
                problem_set, temperature, step, half = key
                item = half_floor_item(float(str(temperature)), int(str(step)), int(str(half)))
                yield f"half_floors/{problem_set}", item, value


def chance_pass(part: pl.DataFrame, k: int) -> float | None:
    """pass@k of a problem's completions on other problems' answers; None with fewer than `k` completions."""
    table = chance_matches(part)
    enough = table.filter(pl.col("n") >= k)
    problems = enough["problem_id"].n_unique()
    if not problems or 2 * problems <= part["problem_id"].n_unique():
        return None
    n, c, weight = (enough[name].to_numpy().astype(float) for name in ("n", "c", "weight"))
    return float(np.sum(weight * pass_at_k(n, c, k)) / problems)
