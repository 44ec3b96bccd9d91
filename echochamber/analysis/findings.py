"""The analyses as the page shows them: one block per group of runs, each table with a question over it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from .page_table import PageTable, seeds_note
from .questions.chance_floor import variants_table
from .questions.coverage import coverage_table
from .questions.first_errors import errors_table
from .questions.forecasts import forecasts_table
from .questions.format_costs import costs_table
from .questions.format_dynamics import dynamics_table
from .questions.format_style import style_table
from .questions.likelihood import likelihood_table
from .questions.paper_scorer import scorers_table
from .questions.score_changes import gains_table
from .questions.selection_or_skill import selection_table
from .questions.support import support_table
from .questions.training_free import baselines_table
from .run_inputs import RunInputs, run_inputs
from .runs import Run, complete_runs
from .study_folder import Study

MAKERS: tuple[Callable[[Study, Sequence[RunInputs], str], PageTable | None], ...] = (
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
