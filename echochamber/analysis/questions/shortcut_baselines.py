"""How many problems do two baselines solve that do not read the story?"""

from dataclasses import dataclass, replace

from ...core.errors import UserError
from ...core.files import read_json
from ..number_text import count
from ..stage_files import read_stored
from ..stored_files import BaselineScore, MixtureShortcuts, ShortcutScores
from ..study_folder import StoredStage, StoredStudy

FILE = "surface.json"
"""Scores of one problem set of the world."""
MIXTURE_FILE = "shortcut_baselines.json"
"""Scores of other sets, by set."""


@dataclass(frozen=True)
class ShortcutRow:
    """One problem set."""

    name: str
    trained_on: str
    """Where the baselines' training questions come from."""
    cells: list[str]
    """Training questions, problems scored, then the share that each baseline solves."""


def shortcut_table(study: StoredStudy) -> list[ShortcutRow]:
    """One row per problem set: the share of its problems that each shortcut baseline solves.

    A set of the world carries its scores beside its problems. Any other set is scored per mixture, by
    the evaluation of a base or the RL run that uses it.
    """
    rows = []
    for node in study.of_kind("problems"):
        scores = read_stored(study, node, FILE, ShortcutScores) if _has(node, FILE) else None
        if scores is not None:
            rows.append(_row(node.id.removeprefix("problems/"), "the world", scores))
    for (mixture, name), known in _by_mixture(study).items():
        trained_on = f"mixture {mixture}"
        rows.append(_row(name, trained_on, known) if known else _unscored(name, trained_on))
    return rows


def _by_mixture(study: StoredStudy) -> dict[tuple[str, str], ShortcutScores | None]:
    """(Mixture, problem set) -> scores; seeds, sizes and arms of a mixture repeat the same ones."""
    files = [(node, MIXTURE_FILE) for kind in ("evaluate", "rl") for node in study.of_kind(kind)]
    files += [(node, FILE) for node in _earlier_stages(study)]
    found: dict[tuple[str, str], ShortcutScores | None] = {}
    for node, name in files:
        stored = read_stored(study, node, name, MixtureShortcuts) if _has(node, name) else None
        for problem_set, scores in (stored.sets if stored else {}).items():
            found.setdefault((node.mixture or node.id, problem_set), scores)
    return found


def _earlier_stages(study: StoredStudy) -> list[StoredStage]:
    """Earlier versions of this project scored a mixture's sets in a stage of their own, `surface`."""
    shards = {node.fingerprint: node for node in study.of_kind("shards")}
    found = []
    for folder in sorted((study.folder / "artifacts").glob("surface-*")):
        try:
            parents = read_json(folder / "manifest.json").get("parents")
        except UserError as error:
            study.warn(str(error))
            continue
        node = shards.get(str(parents.get("shards"))) if isinstance(parents, dict) else None
        if node is not None:
            found.append(replace(node, id=f"surface/{node.mixture}", folder=folder, partial=False))
    return found


def _has(node: StoredStage, name: str) -> bool:
    """Whether the stage has scored the baselines; the problems of a file have none."""
    return node.folder is not None and (node.folder / name).is_file()


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
