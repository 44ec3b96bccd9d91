"""Shortcut baselines of problem sets that are not the world's, given a checkpoint's training questions.

They are scored inside the stage that uses the set: the evaluation of a base, or RL.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.errors import UserError
from ..core.files import write_json
from ..core.jsonl import read_jsonl
from ..core.manifest import history
from ..core.progress import say
from ..core.types import Problem
from ..data.mixture import MixtureConfig, drawn_questions
from ..data.shortcut_baselines import shortcut_line, shortcut_scores
from ..data.world import WorldConfig

QUESTIONS = "questions.jsonl"
"""A sample of training questions, beside the shards of mixtures with real rows."""
SCORES = "shortcut_baselines.json"
"""Scores by problem set, in the artifact of the stage that uses the sets."""


def score_sets(checkpoint: Path, sets: Mapping[str, Sequence[Problem]], seed: int, folder: Path) -> None:
    """Write the scores of some sets into a stage's artifact; nothing where there are no sets.

    A set scores `{}` where no training question with a known answer is found.
    """
    if not sets:
        return
    train = training_questions(checkpoint) or []
    scores = {name: shortcut_scores(train, problems, seed) for name, problems in sets.items()}
    for name, found in scores.items():
        say(shortcut_line(name, found))
    write_json(folder / SCORES, scores)


def training_questions(checkpoint: Path) -> list[Problem] | None:
    """A sample of the questions that a study's checkpoint was trained on; None outside a study."""
    found = ((folder, one) for folder, one in history(checkpoint.resolve()) if one.get("kind") == "shards")
    shards, manifest = next(found, (None, {}))
    if shards is None:
        return None
    config = manifest["config"]
    try:
        mixture = MixtureConfig.parse(config["mixture"], "mixture")
        world = WorldConfig.parse(config["world"], "world")
        return _read_questions(shards, mixture, world, int(config["seed"]))
    except (KeyError, UserError):  # a study of another version, whose settings have other names
        return None


def _read_questions(shards: Path, mixture: MixtureConfig, world: WorldConfig, seed: int) -> list[Problem]:
    """Questions of real rows were kept with the shards; those of the world are drawn again."""
    kept = shards / QUESTIONS
    if kept.is_file():
        return [Problem.from_json(row) for _, row in read_jsonl(kept)]
    return drawn_questions(mixture, world, seed)
