"""What problem sets and RL arms are made from: the parts of their fingerprints. No stage is loaded here."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..core.artifacts import Spec
from ..core.checksums import hash_file
from ..core.environments import PREFIX
from ..core.errors import UserError
from ..data import hub
from ..data.environments import environment_identity, environment_label, is_environment
from ..data.test_splits import refuse_test_split
from ..data.world import WorldConfig
from ..rl.config import RLConfig
from ..stages.settings import ENVIRONMENT_VERSION, PROBLEMS_VERSION, ProblemSetConfig
from .recipe import Recipe
from .user_modules import load_user_modules


class ProblemSource(NamedTuple):
    """A problem set before it is drawn or read."""

    id: str
    """Readable path: `problems/train/all/2048`."""
    spec: Spec
    prepare: Callable[[Path], None]
    """Writes `problems.jsonl` into the given folder."""


class ArmSource(NamedTuple):
    """An RL arm at one seed, apart from its base and its problems."""

    config: RLConfig
    """With the study's prompt suffix."""
    settings: dict[str, object]
    inputs: dict[str, str]
    """Input name -> SHA-256 of its content."""


def problem_source(recipe: Recipe, name: str, split: str, count: int, data_label: str = "") -> ProblemSource:
    """A world set, a file of problems or a set of the hub; test splits are refused where `split` is train.

    `data_label` ends the readable path of a set that is drawn anew for every seed.
    """
    if is_environment(name):
        source = _environment(recipe, name, split, count)
        return source._replace(id=source.id + data_label)
    if name.startswith(hub.PREFIX):
        return _hub_problems(recipe, name, "train" if split == "train" else "test", count)
    if not is_world_set(name):
        if split == "train":
            refuse_test_split(Path(name))
        return _problem_file(recipe, existing_file(name), count)
    config = ProblemSetConfig(set=name, split=split, count=count, seed=recipe.fixed_data_seed)
    world = recipe.world
    spec = Spec("problems", {"problems": config.identity()} | world_settings(world), PROBLEMS_VERSION)

    def prepare(folder: Path) -> None:
        from ..stages.prepare import prepare_problems

        prepare_problems(config, world, folder)

    return ProblemSource(f"problems/{split}/{name}/{count}{data_label}", spec, prepare)


def is_world_set(name: str) -> bool:
    """Whether a problem set is the world's own: no environment, no set of the hub, no file."""
    return not is_environment(name) and not name.startswith(hub.PREFIX) and not any(c in name for c in "./")


def _problem_file(recipe: Recipe, path: Path, count: int) -> ProblemSource:
    """A user's own problems: keyed by content, so that an edited file is another set."""
    policy = recipe.on_bad_row
    columns = recipe.columns
    settings = {"file": path.name, "count": count, "on_bad_row": policy} | columns.settings()
    spec = Spec("problems", settings, PROBLEMS_VERSION, inputs={"file": hash_file(path)})

    def prepare(folder: Path) -> None:
        from ..stages.prepare import prepare_problem_file

        prepare_problem_file(str(path), count, policy, folder, columns=columns)

    return ProblemSource(f"problems/{path.as_posix().strip('/')}/{count}", spec, prepare)


def _hub_problems(recipe: Recipe, name: str, split: hub.HubSplit, count: int) -> ProblemSource:
    """A set of the hub, keyed by its commit, or by the content of a local copy."""
    place, policy = recipe.hub.named(name), recipe.on_bad_row
    settings = {
        "hub": place.name,
        "commit": place.commit,
        "split": split,
        "count": count,
        "on_bad_row": policy,
    } | recipe.columns.settings()
    copies = hub.hub_files(place, split) if place.folder else []
    inputs = {file.relative_to(place.folder or file).as_posix(): hash_file(file) for file in copies}
    spec = Spec("problems", settings, PROBLEMS_VERSION, inputs=inputs)
    at_commit = f"{hub.PREFIX}{place.name}" + (f"@{place.commit}" if place.commit else "")

    def prepare(folder: Path) -> None:
        from ..stages.prepare import prepare_problem_file

        prepare_problem_file(at_commit, count, policy, folder, split, recipe.columns, recipe.hub)

    return ProblemSource(f"problems/{split}/{name}/{count}", spec, prepare)


def _environment(recipe: Recipe, name: str, split: str, count: int) -> ProblemSource:
    """A set of reasoning-gym, keyed by options and the library's version, or one of a user's module."""
    identity = environment_identity(name)
    settings = identity | {"split": split, "count": count, "seed": recipe.fixed_data_seed}
    inputs = load_user_modules(recipe.modules) if name.startswith(PREFIX) else {}
    spec = Spec("problems", settings, ENVIRONMENT_VERSION, inputs=inputs)

    def prepare(folder: Path) -> None:
        from ..stages.prepare import prepare_environment

        prepare_environment(name, split, count, recipe.fixed_data_seed, folder)

    return ProblemSource(f"problems/{split}/{environment_label(name)}/{count}", spec, prepare)


def arm_source(
    recipe: Recipe, config: RLConfig, seed: int, modules: dict[str, str], mixture: str | None
) -> ArmSource:
    """The parts of an RL arm's fingerprint.

    `modules`: content hashes of the user's modules, which may hold the arm's reward.
    `mixture`: the mixture of its base, None for a base from outside.
    """
    config = config.model_copy(update={"prompt_suffix": recipe.prompt_suffix, "prompt": recipe.prompt})
    settings: dict[str, object] = {
        "rl": config.identity(),
        "seed": seed,
        "runtime": recipe.runtime.identity(),
    } | tracked(recipe, mixture)
    inputs = {"completions": hash_file(existing_file(config.completions))} if config.completions else {}
    return ArmSource(config, settings, inputs | modules)


def tracked(recipe: Recipe, mixture: str | None) -> dict[str, object]:
    """The study's own formats as runs of a mixture track them; {} without any, so that fingerprints stay."""
    own = {name: behaviour.settings() for name, behaviour in recipe.behaviours_of(mixture).items()}
    return {"behaviours": own} if own else {}


def world_settings(world: WorldConfig) -> dict[str, object]:
    """The world's settings, and the versions of those of its families whose texts were changed."""
    revised = world.revised_families
    families: dict[str, object] = {"families": revised} if revised else {}
    return {"world": world.identity()} | families


def existing(name: str) -> Path:
    """A path that the user gave; `UserError` where there is nothing."""
    path = Path(name)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return path


def existing_file(name: str) -> Path:
    """A file that the user gave; `UserError` for a folder, and for a device or pipe, which ends never."""
    path = existing(name)
    if not path.is_file():
        raise UserError(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}, expected a file")
    return path
