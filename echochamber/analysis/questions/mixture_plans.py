"""What was trained on: the plan of every mixture, and contamination."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..number_text import count
from ..stage_files import read_stored
from ..stored_files import PlanFile, StoredSourcePlan
from ..study_folder import StoredStage, StoredStudy


@dataclass(frozen=True)
class SourceRow:
    """One source of a mixture."""

    name: str
    asked: str
    cells: list[str]
    """Documents there and obtained; tokens asked, obtained, and of them in solutions; passes."""
    share: float | None
    """Of the mixture's tokens."""


@dataclass(frozen=True)
class ContaminatedSource:
    """Problems of one set that were found in one source."""

    source: str
    problem_set: str
    cells: list[str]
    """Problems, found, in how many documents, too short to check."""
    dropped: bool
    """Whether these documents were left out of training."""
    example: str


@dataclass(frozen=True)
class MixtureRows:
    """A mixture as it was put together."""

    name: str
    rows: list[SourceRow]
    total: int
    """Tokens."""
    contamination: list[ContaminatedSource]


def mixture_plans(study: StoredStudy) -> list[MixtureRows]:
    """The plan of every mixture: one row of text per source, and each one's share of the tokens."""
    plans = []
    for node in study.of_kind("shards"):
        stored = read_stored(study, node, "plan.json", PlanFile)
        if stored is not None and stored.sources:
            total = sum(source.tokens_obtained for source in stored.sources)
            rows = [
                _source_row(source, source.tokens_obtained / total if total else None)
                for source in stored.sources
            ]
            compared = [*stored.sources, *_searched_apart(study, node)]
            plans.append(MixtureRows(node.mixture or node.id, rows, total, _contamination(compared)))
    return plans


def _searched_apart(study: StoredStudy, shards: StoredStage) -> list[StoredSourcePlan]:
    """The mixture's sources against the sets that only further evaluations have."""
    node = study.node(shards.id.replace("shards/", "contamination/", 1))
    stored = read_stored(study, node, "contamination.json", PlanFile) if node else None
    return stored.sources if stored else []


def _source_row(source: StoredSourcePlan, share: float | None) -> SourceRow:
    numbers = (
        source.documents_available,
        source.documents_obtained,
        source.tokens_asked,
        source.tokens_obtained,
        source.solution_tokens_obtained,
        source.passes,
    )
    asked = source.asked or f"{count(source.documents_asked)} documents"
    return SourceRow(source.name, asked, [count(number) for number in numbers], share)


def _contamination(sources: Sequence[StoredSourcePlan]) -> list[ContaminatedSource]:
    """One row per source and problem set that were compared: what of the set is in the source."""
    return [
        ContaminatedSource(
            source.name,
            row.problem_set,
            [
                count(number)
                for number in (row.problems, row.problems_found, row.documents, row.too_short_to_check)
            ],
            row.dropped,
            row.examples[0] if row.examples else "",
        )
        for source in sources
        for row in source.contamination
    ]
