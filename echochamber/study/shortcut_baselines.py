"""What surface cues answer of a set that a single checkpoint is scored on: its training questions, where they can be found."""

from pathlib import Path
from typing import Any

from ..core.artifacts import read_manifest
from ..core.errors import UserError
from ..core.types import Problem
from ..data.mixture import MixtureConfig
from ..data.shortcut_scores import surface_line, surface_scores, world_training_questions
from ..data.world import WorldConfig
from ..stages.prepare import read_questions

_BELOW = {"rl": ("base", "pretrain"), "pretrain": ("shards", "shards")}
"""Kind of artifact -> the role and the kind of what it was made from."""


def surface_of(
    checkpoint: Path, name: str, problems: list[Problem], world: WorldConfig | None, seed: int
) -> tuple[dict[str, Any], str]:
    """(scores or {}, a line for the terminal) of a problem set.

    `world`: where the problems are a set of it, they are compared with training questions of their own
    level. Others are compared with the questions of the mixture that the checkpoint was trained on,
    which only a checkpoint inside its study has.
    """
    if world is not None:
        scores = surface_scores(world_training_questions(world, name, seed), problems, seed)
        return scores, surface_line(name, scores)
    train = training_questions(checkpoint)
    if train is None:
        return (
            {},
            f"surface cues, {name}: not estimable, the checkpoint does not lie in a study with the questions it was trained on",
        )
    scores = surface_scores(train, problems, seed)
    return scores, surface_line(name, scores)


def training_questions(checkpoint: Path) -> list[Problem] | None:
    """A sample of the questions under a study's checkpoint; None for a checkpoint without such a history."""
    shards = _shards_below(checkpoint.resolve())
    if shards is None:
        return None
    config = read_manifest(shards)["config"]
    try:
        mixture, world = (
            MixtureConfig.parse(config["mixture"], "mixture"),
            WorldConfig.parse(config["world"], "world"),
        )
        return read_questions(shards, mixture, world, int(config["seed"]))
    except (KeyError, UserError):  # a study of another version, whose settings are named otherwise
        return None


def _shards_below(place: Path) -> Path | None:
    """The shards artifact that a checkpoint's history begins with, from manifest to manifest."""
    artifact = next((folder for folder in place.parents if (folder / "manifest.json").is_file()), None)
    while artifact is not None and (artifact / "manifest.json").is_file():
        manifest = read_manifest(artifact)
        if manifest.get("kind") == "shards":
            return artifact
        role, kind = _BELOW.get(str(manifest.get("kind")), ("", ""))
        fingerprint = manifest.get("parents", {}).get(role)
        artifact = artifact.parent / f"{kind}-{fingerprint}" if fingerprint else None
    return None
