"""The analyses as the page shows them: one block per group of runs, each table with a question over it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from .changes import problem_table
from .forecast_tables import forecasts_table
from .format_tables import costs_table, dynamics_table, errors_table, style_table
from .page_data import written_formats
from .page_table import Inputs, PageTable, seeds_note
from .probe_tables import baselines_table, likelihood_table
from .runs import Run
from .score_tables import (
    coverage_table,
    gains_table,
    scorers_table,
    selection_table,
    support_table,
    variants_table,
)
from .study_folder import Study, scan_table
from .summary import complete_runs
from .tables.common import counts, forced_counts

RECORD_NEEDS = ("problem_set", "problem_id", "step", "sample", "temperature", "format", "outcome", "correct")
PROBE_TABLES = {
    "forced": (*RECORD_NEEDS, "forced_format"),
    "sweep": RECORD_NEEDS,
    "likelihood": (
        "problem_set",
        "problem_id",
        "writer",
        "num_tokens",
        "logprob",
        "logprob_reference",
        "logprobs",
        "logprobs_reference",
    ),
}
"""Tables of a probe and the columns that the analyses need of them."""
MAKERS: tuple[Callable[[Study, Sequence[Inputs], str], PageTable | None], ...] = (
    gains_table,
    selection_table,
    baselines_table,
    likelihood_table,
    coverage_table,
    support_table,
    variants_table,
    dynamics_table,
    costs_table,
    style_table,
    forecasts_table,
    errors_table,
    scorers_table,
)


class Group(NamedTuple):
    """The tables of the runs that differ in their seed alone."""

    label: str
    note: str
    tables: list[PageTable]


def findings(study: Study, runs: Sequence[Run], chosen: tuple[str, str]) -> list[Group]:
    """For each group of runs those tables for which the study has data."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    found = []
    for group, members in groups.items():
        label = " · ".join(part for part in group if part)
        note, tables = _tables(study, members, chosen, label)
        if tables:
            found.append(Group(label, note, tables))
    return found


def _tables(
    study: Study, members: Sequence[Run], chosen: tuple[str, str], label: str
) -> tuple[str, list[PageTable]]:
    """Note and every table that can be made; a file damaged inside is named and costs the group its tables."""
    done = complete_runs(members, chosen)
    left_out = ", ".join(str(run.seed) for run in members if run not in done)
    try:
        inputs = [run_inputs(study, run, chosen) for run in done]
        tables = [make(study, inputs, chosen[0]) for make in MAKERS]
    except pl.exceptions.PolarsError as error:
        study.trouble(f"{label}: records or problems cannot be analysed ({str(error).splitlines()[0]})")
        return "", []
    note = f" Not finished yet and left out: seed {left_out}." if left_out else ""
    return seeds_note(inputs) + note, [table for table in tables if table is not None]


def run_inputs(study: Study, run: Run, chosen: tuple[str, str]) -> Inputs:
    """What one run offers to the analyses, scanned and counted once."""
    last = max(run.steps(chosen), default=0)
    formats = written_formats([run])
    scans = [scan_table(study, node, "records.parquet") for node in run.evaluations]
    known = [scan for scan in scans if scan is not None]
    # What the grader could not decide is in no score (`evaluate` leaves it out of its own as well).
    records = (
        pl.concat(known, how="diagonal").filter(pl.col("outcome").ne_missing("infrastructure"))
        if known
        else None
    )
    counted = counts(records, chosen[0], [0, last]) if records is not None and last and formats else None
    probed = {name: table for name in PROBE_TABLES if (table := _probed(study, run, name)) is not None}
    return Inputs(
        run,
        last,
        formats,
        records,
        problem_table(study, run),
        counted,
        forced_counts(probed["forced"], chosen[0]) if "forced" in probed else None,
        probed,
    )


def _probed(study: Study, run: Run, name: str) -> pl.LazyFrame | None:
    """One table of all probes of a run; a probe may lack it (no likelihood without a reference)."""
    nodes = [node for node in run.probes if node.folder and (node.folder / f"{name}.parquet").is_file()]
    scans = [scan_table(study, node, f"{name}.parquet", PROBE_TABLES[name]) for node in nodes]
    known = [scan for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal") if known else None
