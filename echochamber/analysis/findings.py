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
from .questions.simulated_forecast import simulated_forecast_table
from .questions.support import support_table
from .questions.training_free import baselines_table
from .questions.traits import traits_table
from .run_inputs import RunGroup, RunInputs, note_damage
from .study_folder import StoredStudy

QUESTIONS: tuple[Callable[[Sequence[RunInputs], str], PageTable | None], ...] = (
    gains_table,
    selection_table,
    baselines_table,
    likelihood_table,
    coverage_table,
    support_table,
    variants_table,
    dynamics_table,
    costs_table,
    traits_table,
    style_table,
    simulated_forecast_table,
    forecasts_table,
    errors_table,
    scorers_table,
)
"""In the order of the page. Each takes the runs of a group and a problem set; None where data is missing."""


class Findings(NamedTuple):
    """The tables of the runs that differ in their seed alone."""

    label: str
    note: str
    tables: list[PageTable]


def findings(study: StoredStudy, groups: Sequence[RunGroup], problem_set: str) -> list[Findings]:
    """For each group of runs that is loaded whole, those tables for which the study has data."""
    found = [_findings(study, group, problem_set) for group in groups if group.inputs and group.analysed]
    return [block for block in found if block is not None and block.tables]


def _findings(study: StoredStudy, group: RunGroup, problem_set: str) -> Findings | None:
    """Note and tables of a group; a file that is damaged inside is named and costs the group its tables."""
    try:
        tables = [make(group.inputs, problem_set) for make in QUESTIONS]
    except pl.exceptions.PolarsError as error:
        note_damage(study, group, error)
        return None
    note = seeds_note(group.inputs)
    if group.unfinished:
        note += f" Not finished yet and left out: seed {', '.join(map(str, group.unfinished))}."
    return Findings(group.label, note, [table for table in tables if table is not None])
