"""What the study was given, as rows of the page: mixture plans, contamination, surface cues."""

from typing import Any

from .numbers import at, count
from .study_folder import Node, Study, read_json

BASELINES = ("fixed_expression", "nearest_question")


def mixture_plans(study: Study) -> list[dict[str, Any]]:
    """The plan of every mixture: one row of text per source, and each one's share of the tokens."""
    plans = []
    for node in study.of_kind("shards"):
        plan = read_json(study, node, "plan.json")
        found = plan.get("sources") if isinstance(plan, dict) else None
        sources = [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []
        if sources:
            total = sum(_tokens(source) for source in sources)
            rows = [_source_row(source, _tokens(source) / total if total else None) for source in sources]
            plan = {
                "name": node.mixture or node.id,
                "rows": rows,
                "total": total,
                "contamination": _contamination(sources),
            }
            plans.append(plan)
    return plans


def _source_row(source: dict[str, Any], share: float | None) -> dict[str, Any]:
    asked = source.get("asked") or f"{count(source.get('documents_asked'))} documents"
    names = (
        "documents_available",
        "documents_obtained",
        "tokens_asked",
        "tokens_obtained",
        "solution_tokens_obtained",
        "passes",
    )
    return {
        "name": str(source.get("name") or ""),
        "asked": str(asked),
        "share": share,
        "cells": [count(source.get(name)) for name in names],
    }


def _tokens(source: dict[str, Any]) -> int:
    tokens = source.get("tokens_obtained")
    return tokens if isinstance(tokens, int) else 0


def _contamination(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per source and problem set that were compared: what of the set is in the source."""
    found = []
    for source in sources:
        overlaps = source.get("contamination")
        for row in overlaps if isinstance(overlaps, list) else []:
            if isinstance(row, dict):
                examples = row.get("examples")
                cells = [
                    count(row.get(name))
                    for name in ("problems", "problems_found", "documents", "too_short_to_check")
                ]
                example = str(examples[0]) if isinstance(examples, list) and examples else ""
                place = {
                    "source": str(source.get("name") or ""),
                    "problem_set": str(row.get("problem_set") or ""),
                }
                found.append(place | {"cells": cells, "example": example})
    return found


def surface_table(study: Study) -> list[dict[str, Any]]:
    """One row per problem set: what two baselines that read no story answer of it.

    World sets carry their own `surface.json`; files and sets of the hub are compared with the questions
    of each mixture, so theirs lie in a stage of their own.
    """
    rows = []
    for node in study.of_kind("problems"):
        rows.append(_surface_row(node.id.removeprefix("problems/"), "the world", _surface(study, node)))
    for node in study.of_kind("surface"):
        for name, scores in _surface(study, node).items():
            trained_on = f"mixture {node.mixture or node.id}"
            rows.append(_surface_row(name, trained_on, scores) if scores else _unscored(name, trained_on))
    return [row for row in rows if row]


def _unscored(name: str, trained_on: str) -> dict[str, Any]:
    """The row of a set for which the mixture has no question with a known answer."""
    return {"name": name, "trained_on": trained_on, "cells": ["0", "–", "not estimable", "not estimable"]}


def _surface(study: Study, node: Node) -> dict[str, Any]:
    """The node's scores; {} where it has none, as the problems of a file."""
    if node.folder is None or not (node.folder / "surface.json").is_file():
        return {}
    found = read_json(study, node, "surface.json")
    return found if isinstance(found, dict) else {}


def _surface_row(name: str, trained_on: str, scores: Any) -> dict[str, Any]:
    """A row of the table; {} where nothing was scored, or the file holds something else."""
    if not isinstance(scores, dict):
        return {}
    cells = [
        {"value": at(scores, ("scores", name, "share")), "interval": at(scores, ("scores", name, "interval"))}
        for name in BASELINES
    ]
    ends = [cell["interval"] if isinstance(cell["interval"], list) else [] for cell in cells]
    figures = [cell["value"] for cell in cells] + [end for pair in ends for end in pair]
    if len(figures) != 3 * len(cells) or not all(isinstance(figure, int | float) for figure in figures):
        return {}
    numbers = [count(scores.get(key)) for key in ("train_questions", "problems")]
    texts = [
        f"{cell['value']:.1%} ({cell['interval'][0]:.1%} to {cell['interval'][1]:.1%})" for cell in cells
    ]
    return {"name": name, "trained_on": trained_on, "cells": [*numbers, *texts]}
