"""What one run, and each group of runs that differ in their seed alone, offers to the analyses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import polars as pl

from .completion_counts import counts, forced_counts
from .runs import Run, complete_runs, rl_config, written_formats
from .stage_files import read_stored, scan_table
from .stored_files import SimulatedForecast
from .study_folder import JsonObject, StoredStudy

RECORD_NEEDS = ("problem_set", "problem_id", "step", "sample", "temperature", "format", "outcome", "correct")
LIKELIHOOD_NEEDS = (
    *("problem_set", "problem_id", "writer", "num_tokens"),
    *("logprob", "logprob_reference", "logprobs", "logprobs_reference"),
)
PROBE_TABLES = {
    "forced": (*RECORD_NEEDS, "forced_format"),
    "sweep": RECORD_NEEDS,
    "likelihood": LIKELIHOOD_NEEDS,
}
"""Tables of a probe and the columns that the analyses need of them."""
FORECAST_FILE = "forecast.json"
PROBLEM_COLUMNS = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")


@dataclass(frozen=True, eq=False)
class RunInputs:
    """What one run offers to the analyses; None or empty where it is not there."""

    run: Run
    last: int
    """Last evaluated step; 0 where nothing was evaluated after the base."""
    formats: list[str]
    """Formats that the run wrote at some time."""
    records: pl.LazyFrame | None
    """Completions of all evaluations, without those that the grader could not decide."""
    problems: pl.DataFrame | None
    """`problems.parquet` of all evaluations."""
    counted: pl.DataFrame | None
    """`completion_counts.counts` of the base and the last step."""
    forced: pl.DataFrame | None = None
    """`completion_counts.forced_counts` of the probes, where there are any."""
    probed: dict[str, pl.LazyFrame] = field(default_factory=dict)
    """The probes' tables by name: forced, sweep, likelihood."""
    rl_settings: JsonObject = field(default_factory=dict)
    """Resolved RL settings of the run's arm."""
    forecast: SimulatedForecast | None = None
    """What a simulation said of the arm, where the study has one."""


@dataclass(frozen=True)
class RunGroup:
    """The runs of one (mixture, size, arm), ready for the analyses."""

    parts: tuple[str, str, str]
    """Mixture, size and arm."""
    inputs: list[RunInputs]
    """One per seed that has both ends; empty where a file is damaged inside."""
    unfinished: list[int]
    """Seeds that are left out because they have not both ends yet."""
    analysed: bool = True
    """False: the inputs have nothing but `problems`, enough for the changes of scores."""

    @property
    def label(self) -> str:
        """`MIXTURE · SIZE · ARM`, as the page shows it."""
        return " · ".join(part for part in self.parts if part)


Parts = tuple[str, str, str]
"""Mixture, size and arm."""


def load_groups(
    study: StoredStudy,
    runs: Sequence[Run],
    chosen: tuple[str, str],
    analysed: Collection[Parts] | None = None,
) -> list[RunGroup]:
    """The groups of a study in the order of their first run; damage is noted in `study.warnings`.

    `analysed`: groups that are loaded whole; None: all. Of the others the problems' scores are read.
    """
    members: dict[Parts, list[Run]] = {}
    for run in runs:
        members.setdefault(run.group, []).append(run)
    whole = members if analysed is None else analysed
    return [_load_group(study, parts, group, chosen, parts in whole) for parts, group in members.items()]


def _load_group(
    study: StoredStudy, parts: Parts, members: list[Run], chosen: tuple[str, str], analysed: bool
) -> RunGroup:
    done = complete_runs(members, chosen)
    finished = {run.id for run in done}
    group = RunGroup(parts, [], [run.seed for run in members if run.id not in finished], analysed)
    load = run_inputs if analysed else _scores_alone
    try:
        group.inputs.extend([load(study, run, chosen) for run in done])
    except pl.exceptions.PolarsError as error:
        note_damage(study, group, error)
    return group


def note_damage(study: StoredStudy, group: RunGroup, error: Exception) -> None:
    """Name a group whose records or problems are damaged inside."""
    reason = str(error).splitlines()[0]
    study.warn(f"{group.label}: records or problems cannot be analysed ({reason})")


def run_inputs(study: StoredStudy, run: Run, chosen: tuple[str, str]) -> RunInputs:
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
        _problem_table(study, run),
        counted,
        forced_counts(probed["forced"], chosen[0]) if "forced" in probed else None,
        probed,
        rl_config(study, run.arm),
        _forecast(study, run),
    )


def _forecast(study: StoredStudy, run: Run) -> SimulatedForecast | None:
    node = run.forecast
    if node is None or node.folder is None or node.partial:
        return None
    return read_stored(study, node, FORECAST_FILE, SimulatedForecast)


def _scores_alone(study: StoredStudy, run: Run, chosen: tuple[str, str]) -> RunInputs:
    last = max(run.steps(chosen), default=0)
    return RunInputs(run, last, [], None, _problem_table(study, run), None)


def _probed(study: StoredStudy, run: Run, name: str) -> pl.LazyFrame | None:
    """One table of all probes of a run; a probe may lack it (no likelihood without a reference)."""
    nodes = [node for node in run.probes if node.folder and (node.folder / f"{name}.parquet").is_file()]
    scans = [scan_table(study, node, f"{name}.parquet", PROBE_TABLES[name]) for node in nodes]
    known = [scan for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal") if known else None


def _problem_table(study: StoredStudy, run: Run) -> pl.DataFrame | None:
    """`problems.parquet` of all evaluations of one run, None when none is readable."""
    scans = [scan_table(study, node, "problems.parquet", PROBLEM_COLUMNS) for node in run.evaluations]
    known = [scan.collect() for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal_relaxed") if known else None
