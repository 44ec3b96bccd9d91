"""Shares of formats among greedy completions, one per problem: which format is the winner."""

from collections.abc import Iterator

import polars as pl

from ..completion_counts import GREEDY
from ..stage_files import scan_table
from ..study_folder import JsonObject, StoredStage, StoredStudy


def greedy_shares(study: StoredStudy, node: StoredStage, summary: object) -> Iterator[JsonObject]:
    """problem_set, split, temperature, step, quantity `greedy_share/FORMAT`, value.

    The temperature is that of the evaluation, as in its other scores: greedy rows are found beside the
    sampled ones. A format that no greedy completion has gets no row.
    """
    scan = scan_table(study, node, "records.parquet")
    if scan is None:
        return
    keys = ["problem_set", "split", "step"]
    heats = {
        (str(row.get("problem_set") or ""), str(row.get("split") or ""), int(row["step"])): float(
            row.get("temperature") or 0.0
        )
        for row in (summary if isinstance(summary, list) else [])
    }
    chosen = scan.filter((pl.col("sample") == GREEDY) & (pl.col("outcome") != "infrastructure"))
    counted = chosen.group_by(*keys, "format").agg(n=pl.len()).sort(*keys, "format").collect()
    shares = counted.with_columns(value=pl.col("n") / pl.col("n").sum().over(keys))
    for row in shares.iter_rows(named=True):
        place = (str(row["problem_set"]), str(row["split"]), int(row["step"]))
        if place in heats:
            where = dict(zip(keys, place, strict=True)) | {"temperature": heats[place]}
            yield where | {"quantity": f"greedy_share/{row['format']}", "value": float(row["value"])}
