"""The RL arms of a recipe from a given checkpoint, without the recipe's pretraining."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..core.artifacts import Spec, Store
from ..core.errors import UserError
from ..core.files import make_folder
from ..core.formats import extra_formats
from ..core.metrics import read_metrics
from ..core.progress import be_quiet, say
from ..model.load_model import take_engine
from ..model.ranks import Ranks, join_ranks
from ..model.runtime import Runtime, start_runtime
from ..rl import loop as rl
from ..rl.config import RLConfig
from ..stages.prepare import read_problems
from ..verify.behaviours import behaviour_formats
from .checkpoints import find_checkpoint, hash_checkpoint
from .recipe import Recipe
from .stage_inputs import ProblemSource, arm_source, problem_source
from .status import sitting
from .user_modules import load_user_modules


class ArmRun(NamedTuple):
    """One arm at one seed, before it is run."""

    arm: str
    seed: int
    config: RLConfig
    problems: ProblemSource
    spec: Spec


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


def train_from_checkpoint(recipe: Recipe, base: str | Path, out: Path | None) -> list[TrainedArm] | None:
    """Train the recipe's arms for its seeds from the checkpoint `base`. Finished arms are read.

    `base`: a folder or hub name, as for `find_checkpoint`. With several ranks, rank 0 owns the folder and
    returns what was trained; the others take part in training and return None.
    """
    ranks = join_ranks()
    if not ranks.is_main:
        _follow(recipe, ranks)
        return None
    checkpoint = find_checkpoint(base)
    recipe = recipe.model_copy(update={"runtime": take_engine(recipe.runtime, checkpoint)})
    jobs = list(_jobs(recipe, hash_checkpoint(checkpoint)))
    if not jobs:
        raise UserError(
            f"recipe {recipe.name}: no RL arm to run: 'rl' names {', '.join(recipe.rl) or 'none'}, "
            "and grid may leave arms out"
        )
    if recipe.grid.from_step:
        say(f"grid.from_step is not used: every arm starts from {base}")
    store = Store(make_folder((out or Path("runs") / f"rl-{recipe.name}") / "artifacts"))
    runtime = start_runtime(recipe.runtime)
    trained = [_trained(job, recipe, checkpoint, store, runtime) for job in jobs]
    ranks.from_main(None)
    return trained


def _jobs(recipe: Recipe, checkpoint: str) -> Iterator[ArmRun]:
    """Every arm and seed that the grid does not skip. Rules that name a mixture or a size do not apply."""
    modules = load_user_modules(recipe.modules)
    for arm, settings in recipe.rl.items():
        for seed in recipe.seeds:
            if recipe.grid.skips(rl=arm, seed=seed):
                continue
            problems = problem_source(recipe, settings.problems.set, "train", settings.problems.count)
            source = arm_source(recipe, settings, seed, modules, mixture=None)
            spec = Spec(
                "rl",
                source.settings,
                rl.VERSION,
                {"problems": problems.spec.fingerprint},
                source.inputs | {"checkpoint": checkpoint},
            )
            yield ArmRun(arm, seed, source.config, problems, spec)


def _trained(job: ArmRun, recipe: Recipe, checkpoint: Path, store: Store, runtime: Runtime) -> TrainedArm:
    was_done = store.has(job.spec)
    problems = store.build(
        job.problems.spec, job.problems.prepare
    )  # first: where they are bad, no trace of a run is left

    def write(partial: Path) -> None:
        say(f"rl {job.arm}, seed {job.seed}")
        with sitting(partial):
            runtime.ranks.from_main(
                [str(path) for path in (checkpoint, problems, partial)] + [job.seed, job.config.resolved()]
            )
            _train(recipe, job.config, job.seed, checkpoint, problems, partial, runtime)

    folder = store.build(job.spec, write, {"seed": job.seed})
    return TrainedArm(job.arm, job.seed, folder, read_metrics(folder / "metrics.jsonl"), was_done)


def _follow(recipe: Recipe, ranks: Ranks) -> None:
    """Work on what rank 0 names, until it names no more."""
    be_quiet()
    while task := ranks.from_main(None):
        *places, seed, config = task
        checkpoint, problems, partial = map(Path, places)
        _train(
            recipe,
            RLConfig.parse(config, "rl"),
            seed,
            checkpoint,
            problems,
            partial,
            start_runtime(recipe.runtime),
        )


def _train(
    recipe: Recipe,
    config: RLConfig,
    seed: int,
    checkpoint: Path,
    problems: Path,
    folder: Path,
    runtime: Runtime,
) -> None:
    with extra_formats(behaviour_formats(recipe.behaviours_of(None))):
        rl.rl(config, seed, checkpoint, read_problems(problems), folder, runtime)
