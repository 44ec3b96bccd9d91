"""The RL arms of a recipe from a given checkpoint, without the recipe's pretraining."""

from pathlib import Path
from typing import NamedTuple

from ..analysis.study_folder import load_study
from ..core.errors import UserError
from ..core.metrics import read_metrics
from .execute import open_study, run_study
from .recipe import Recipe


class TrainedArm(NamedTuple):
    """One arm at one seed, when it is done."""

    arm: str
    seed: int
    folder: Path
    """The artifact; its `checkpoints/step_N` are Hugging Face folders."""
    steps: list[dict[str, float | None]]
    """Rows of its `metrics.jsonl`."""
    was_done: bool
    """It was there already and was read."""


def train_from_checkpoint(recipe: Recipe, base: str | Path, out: Path | None) -> list[TrainedArm]:
    """Train the recipe's arms for its seeds from the checkpoint `base`. Finished arms are read.

    `base`: a folder or hub name, as for `find_checkpoint`. The folder `out` is a study, which
    `echochamber rl --base` completes with evaluations and a report. `UserError` where a stage fails.
    """
    recipe = recipe.model_copy(update={"base": str(base)})
    graph, status = open_study(recipe, out or folder_on_base(recipe))
    arms = [node for node in graph.nodes.values() if node.kind == "rl"]
    done = {node.id for node in arms if status.nodes[node.id].status == "done"}
    run_study(graph, status, {"rl"})
    for state in status.nodes.values():
        if state.status == "failed":
            raise UserError(str(state.error))
    was_done = {graph.folder(name) for name in done}
    found = [TrainedArm(*arm, arm[2] in was_done) for arm in read_arms(status.path.parent)]
    return sorted(found, key=lambda arm: (list(recipe.rl).index(arm.arm), arm.seed))


def read_arms(study: Path) -> list[tuple[str, int, Path, list[dict[str, float | None]]]]:
    """(arm, seed, artifact, rows of its `metrics.jsonl`) of every finished arm in a study's folder."""
    return [
        (node.arm, node.seed or 0, node.folder, read_metrics(node.folder / "metrics.jsonl"))
        for node in load_study(study).of_kind("rl")
        if node.folder is not None and node.status == "done"
    ]


def folder_on_base(recipe: Recipe) -> Path:
    """Where a study on a given checkpoint lies by default."""
    return Path("runs") / f"rl-{recipe.name}"
