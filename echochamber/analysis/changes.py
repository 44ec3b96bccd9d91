"""Paired changes of the headline's scores, for the words over the tiles and for the figures."""

from collections.abc import Sequence

import polars as pl

from .runs import Run
from .study_folder import Study, scan_table
from .summary import complete_runs
from .tables.common import over_seeds
from .tables.gains import paired_gains

PROBLEM_COLUMNS = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")


def problem_table(study: Study, run: Run) -> pl.DataFrame | None:
    """`problems.parquet` of all evaluations of one run, None when none is readable."""
    scans = [scan_table(study, node, "problems.parquet", PROBLEM_COLUMNS) for node in run.evaluations]
    known = [scan.collect() for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal_relaxed") if known else None


def paired_changes(
    study: Study, runs: Sequence[Run], chosen: tuple[str, str]
) -> dict[str, tuple[float, float]]:
    """Score (accuracy, pass@8 ...) -> interval of its change in the first group, as in the table of gains; unknown ones are left out."""
    members = complete_runs([run for run in runs if run.group == runs[0].group], chosen) if runs else []
    try:
        tables = [problem_table(study, run) for run in members]
    except pl.exceptions.PolarsError:  # named by the findings, which read the same files
        return {}
    known = [paired_gains(table) for table in tables if table is not None]
    if not known or len(known) < len(members):
        return {}
    rows = over_seeds(known, ["problem_set", "quantity"]).filter(pl.col("problem_set") == chosen[0])
    return {row["quantity"]: (row["low"], row["high"]) for row in rows.to_dicts() if row["low"] is not None}
