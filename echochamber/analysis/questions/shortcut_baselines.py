"""How many problems do two shallow baselines solve?"""

from typing import Any

from ..averages import at
from ..number_text import count
from ..study_folder import StoredStage, Study, read_json

BASELINES = ("fixed_expression", "nearest_question")


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


def _surface(study: Study, node: StoredStage) -> dict[str, Any]:
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
