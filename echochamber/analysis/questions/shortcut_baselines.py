"""How many problems do two shallow baselines solve?"""

from dataclasses import dataclass

from ..number_text import count
from ..stored_files import BaselineScore, MixtureShortcuts, ShortcutScores
from ..study_folder import StoredStage, Study, read_stored

FILE = "surface.json"


@dataclass(frozen=True)
class ShortcutRow:
    """One problem set."""

    name: str
    trained_on: str
    """Where the baselines' training questions come from."""
    cells: list[str]
    """Training questions, problems scored, then the share that each baseline solves."""


def shortcut_table(study: Study) -> list[ShortcutRow]:
    """One row per problem set: what two baselines that do not read the text solve of it.

    World sets carry their own `surface.json`. Files and sets of the hub are compared with the questions
    of each mixture, so theirs lie in a stage of their own.
    """
    rows = []
    for node in study.of_kind("problems"):
        scores = read_stored(study, node, FILE, ShortcutScores) if _has_scores(node) else None
        if scores is not None:
            rows.append(_row(node.id.removeprefix("problems/"), "the world", scores))
    for node in study.of_kind("surface"):
        trained_on = f"mixture {node.mixture or node.id}"
        found = read_stored(study, node, FILE, MixtureShortcuts) if _has_scores(node) else None
        for name, known in (found.sets if found else {}).items():
            rows.append(_row(name, trained_on, known) if known else _unscored(name, trained_on))
    return rows


def _has_scores(node: StoredStage) -> bool:
    """Whether the stage has scored the baselines; the problems of a file have none."""
    return node.folder is not None and (node.folder / FILE).is_file()


def _unscored(name: str, trained_on: str) -> ShortcutRow:
    """The row of a set for which the mixture has no question with a known answer."""
    return ShortcutRow(name, trained_on, ["0", "–", "not estimable", "not estimable"])


def _row(name: str, trained_on: str, found: ShortcutScores) -> ShortcutRow:
    shares = (found.scores.fixed_expression, found.scores.nearest_question)
    numbers = [count(found.train_questions), count(found.problems)]
    return ShortcutRow(name, trained_on, [*numbers, *(_share(score) for score in shares)])


def _share(score: BaselineScore) -> str:
    low, high = score.interval
    return f"{score.share:.1%} ({low:.1%} to {high:.1%})"
