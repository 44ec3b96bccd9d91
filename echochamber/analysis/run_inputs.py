"""What one run offers to the analyses, scanned and counted once."""

from dataclasses import dataclass, field

import polars as pl

from .completion_counts import counts, forced_counts
from .runs import Run, written_formats
from .study_folder import Study, scan_table

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
PROBLEM_COLUMNS = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")


@dataclass(frozen=True)
class RunInputs:
    """What one run offers to the analyses; None or empty where it is not there."""

    run: Run
    last: int
    formats: list[str]
    records: pl.LazyFrame | None
    problems: pl.DataFrame | None
    counted: pl.DataFrame | None
    forced: pl.DataFrame | None = None
    """`completion_counts.forced_counts` of the probes, where there are any."""
    probed: dict[str, pl.LazyFrame] = field(default_factory=dict)
    """The probes' tables by name: forced, sweep, likelihood."""


def run_inputs(study: Study, run: Run, chosen: tuple[str, str]) -> RunInputs:
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
    return RunInputs(
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


def problem_table(study: Study, run: Run) -> pl.DataFrame | None:
    """`problems.parquet` of all evaluations of one run, None when none is readable."""
    scans = [scan_table(study, node, "problems.parquet", PROBLEM_COLUMNS) for node in run.evaluations]
    known = [scan.collect() for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal_relaxed") if known else None
