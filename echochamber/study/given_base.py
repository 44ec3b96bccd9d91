"""A study of a checkpoint that it did not pretrain: the stage that keeps a copy of it."""

import re
import shutil
from pathlib import Path

from ..core.artifacts import Spec
from ..core.errors import UserError
from ..core.files import make_folder
from ..core.progress import say
from ..core.storage import storage_errors_named
from ..model.presets import num_parameters, preset
from .checkpoints import find_checkpoint, hash_checkpoint
from .recipe import Recipe
from .stage_graph import StageGraph, StageNode

VERSION = 1
SIZE = "given"
"""What stands for a size of the recipe in the stages of such a study."""
COPIED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py")
"""Files of a checkpoint that are copied: configuration, tokenizer, weights, code of a model's author."""


def recipe_on_base(recipe: Recipe) -> Recipe:
    """The recipe with the engine that runs its `base`, and without the paper's claims, which name mixtures.

    `UserError` where there is no such checkpoint, or no arm to run.
    """
    from ..model.load_model import take_engine

    assert recipe.base is not None
    folder = find_checkpoint(recipe.base)
    if all(recipe.grid.skips(rl=arm, seed=seed) for arm in recipe.rl for seed in recipe.seeds):
        raise UserError(
            f"recipe {recipe.name}: no RL arm to run: 'rl' names {', '.join(recipe.rl) or 'none'}, "
            "and grid may leave arms out"
        )
    if recipe.grid.from_step:
        say(f"grid.from_step is not used: every arm starts from {recipe.base}")
    own_claims = tuple(claim for claim in recipe.claims if isinstance(claim, str))
    return recipe.model_copy(update={"runtime": take_engine(recipe.runtime, folder), "claims": own_claims})


def add_base(graph: StageGraph) -> StageNode:
    """The stage that copies the checkpoint, so that the study stands by itself; keyed by its content."""
    place = graph.recipe.base
    assert place is not None
    source = find_checkpoint(place)
    name = base_name(place)
    spec = Spec("base", {}, VERSION, inputs={"checkpoint": hash_checkpoint(source)})
    node = StageNode(f"base/{name}", spec, (), lambda folder, _: copy_checkpoint(source, folder), name, SIZE)
    graph.add(node)
    return node


def base_name(place: str) -> str:
    """The last part of a place, as names of stages can hold it."""
    last = place.removeprefix("hub:").partition("@")[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.") or "base"


def copy_checkpoint(source: Path, folder: Path) -> None:
    """The checkpoint as step 0 of an artifact."""
    target = make_folder(folder / "checkpoints" / "step_0")
    for file in sorted({file for pattern in COPIED for file in source.glob(pattern) if file.is_file()}):
        with storage_errors_named(target / file.name):
            shutil.copyfile(file, target / file.name)


def size_factor(recipe: Recipe, reference: str) -> float:
    """Parameters of the given base over those of a reference size, by the bytes of its weights in float32."""
    weights = find_checkpoint(recipe.base or "").glob("*.safetensors")
    parameters = sum(file.stat().st_size for file in weights) / 4
    return parameters / num_parameters(preset(reference, recipe.tokenizer.vocab_size))
