"""The analyses as the page shows them: one block per group of runs, each table with a question over it."""

from collections.abc import Callable, Sequence

import polars as pl

from .format_tables import dynamics_table, errors_table, forecasts_table, style_table
from .page_data import written_formats
from .page_table import Inputs, PageTable
from .runs import Run
from .score_tables import (
    baselines_table,
    gains_table,
    scorers_table,
    selection_table,
    support_table,
    variants_table,
)
from .study_folder import Study, scan_table
from .tables.common import counts

PROBLEM_COLUMNS = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")
MAKERS: tuple[Callable[[Study, Sequence[Inputs], str], PageTable | None], ...] = (
    gains_table, selection_table, baselines_table, support_table, variants_table, dynamics_table, style_table,
    forecasts_table, errors_table, scorers_table,
)  # fmt: skip


def findings(study: Study, runs: Sequence[Run], chosen: tuple[str, str]) -> list[tuple[str, list[PageTable]]]:
    """For each group of runs its label and those tables for which the study has data."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    found = []
    for group, members in groups.items():
        label = " · ".join(part for part in group if part)
        tables = _tables(study, members, chosen, label)
        if tables:
            found.append((label, tables))
    return found


def _tables(study: Study, members: Sequence[Run], chosen: tuple[str, str], label: str) -> list[PageTable]:
    """Every table that can be made; a file damaged inside is named and costs the group its tables."""
    try:
        inputs = [_inputs(study, run, chosen) for run in members]
        tables = [make(study, inputs, chosen[0]) for make in MAKERS]
    except pl.exceptions.PolarsError as error:
        study.trouble(f"{label}: records or problems cannot be analysed ({str(error).splitlines()[0]})")
        return []
    return [table for table in tables if table is not None]


def _inputs(study: Study, run: Run, chosen: tuple[str, str]) -> Inputs:
    last = max(run.steps(chosen), default=0)
    formats = written_formats([run])
    scans = [scan_table(study, node, "records.parquet") for node in run.evaluations]
    known = [scan for scan in scans if scan is not None]
    tables = [scan_table(study, node, "problems.parquet", PROBLEM_COLUMNS) for node in run.evaluations]
    problems = [table.collect() for table in tables if table is not None]
    records = pl.concat(known, how="diagonal") if known else None
    counted = counts(records, chosen[0], [0, last]) if records is not None and last and formats else None
    return Inputs(
        run,
        last,
        formats,
        records,
        pl.concat(problems, how="diagonal_relaxed") if problems else None,
        counted,
    )
