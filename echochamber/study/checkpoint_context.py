"""What a checkpoint was trained and evaluated with: world, prompt suffix, formats, modules, problem split.

Commands that score one checkpoint use these, so that their numbers agree with the study's page. World,
suffix and tracked formats are read from the manifests of the checkpoint's artifact and of that one's
parents; `study.json` adds what only the recipe says.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..analysis.study_folder import StoredStage, StoredStudy, load_study
from ..core.checksums import hash_file
from ..core.errors import UserError
from ..core.formats import registered_formats
from ..core.manifest import history
from ..core.progress import say
from ..core.traits import registered_traits
from ..data.columns import ProblemColumns
from ..data.world import WorldConfig
from ..model.prompt import PromptConfig
from ..verify.behaviours import BehaviourConfig, extra_behaviours
from .recipe import DEFAULT_SUFFIX, EvaluateRecipe, load_recipe
from .user_modules import load_user_modules, loaded_modules

_MODULE = "module "
"""How a manifest names the content of a user's module among its inputs."""


@dataclass(frozen=True)
class CheckpointContext:
    """What the prompts, formats and problems of a checkpoint's training were."""

    origin: str = "outside a study"
    """Where this was read, for the first line that a command prints."""
    world: WorldConfig = field(default_factory=WorldConfig)
    world_of: str = "default"
    """Whose world it is, in words."""
    prompt_suffix: str = DEFAULT_SUFFIX
    prompt: PromptConfig = field(default_factory=PromptConfig)
    examples_of: str = "the study's"
    """Whose examples a prompt shows, in words."""
    evaluate: EvaluateRecipe = field(default_factory=EvaluateRecipe)
    """The study's settings of an evaluation."""
    data_seed: int = 0
    columns: ProblemColumns = field(default_factory=ProblemColumns)
    """Which columns of problem files hold what."""
    behaviours: Mapping[str, BehaviourConfig] = field(default_factory=dict)
    """Behaviours that the study tracks in runs of this checkpoint's mixture."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Path or file name of a user's module -> SHA-256 of its content at training."""

    def formats(self) -> AbstractContextManager[None]:
        """Registers the tracked behaviours while the block runs."""
        return extra_behaviours(self.behaviours)

    def identity(self) -> dict[str, object]:
        """What enters the fingerprint of a score besides problems and settings."""
        own = {name: behaviour.settings() for name, behaviour in self.behaviours.items()}
        return {"behaviours": own} if own else {}

    def complete(self, settings: Mapping[str, object]) -> dict[str, object]:
        """The settings with the study's own value for each that is None, and this prompt."""
        own = dict(self.evaluate) | {"stop": list(self.evaluate.stop)}
        whole = {name: own.get(name) if value is None else value for name, value in settings.items()}
        prompt = {"prompt_suffix": self.prompt_suffix, "prompt": self.prompt.resolved()}
        return whole | {name: value for name, value in prompt.items() if name in settings}

    def line(self) -> str:
        """What is used, for the terminal."""
        with self.formats():
            formats, traits = ", ".join(registered_formats()), ", ".join(registered_traits())
        return (
            f"checkpoint {self.origin}; world: {self.world_of}, split {self.evaluate.split}; "
            f"{self._prompt_words()}; formats: {formats}"
            f"{'; traits: ' if traits else ''}{traits}"
        )

    def _prompt_words(self) -> str:
        prompt = self.prompt
        parts = ["chat template"] if prompt.template == "chat" else []
        parts += [f"system message {prompt.system!r:.60}"] if prompt.system is not None else []
        if prompt.few_shot:
            parts.append(f"{prompt.few_shot} of {self.examples_of} {len(prompt.examples)} examples")
        return ", ".join([*parts, f"prompt suffix {self.prompt_suffix!r}"])


def checkpoint_context(
    checkpoint: Path, world: str | None = None, settings: Mapping[str, object] | None = None
) -> CheckpointContext:
    """The context of a checkpoint folder; its study's modules are imported, and what is used is said.

    `world`: `default`, or a recipe whose world is used instead of the checkpoint's own. `settings`: of a
    command; what they say of `prompt` and `prompt_suffix` takes the place of the study's. `UserError` where
    a module is missing or was changed since training: formats and rewards of another content would give
    other numbers under the same names.
    """
    found = _found(checkpoint.resolve())
    if world == "default":
        found = replace(found, world=WorldConfig(), world_of="default")
    elif world is not None:
        found = replace(found, world=load_recipe(world).world, world_of=f"recipe {world}")
    found = _prompted(found, settings or {})
    _load(found.modules)
    say(found.line())
    return found


def _prompted(context: CheckpointContext, settings: Mapping[str, object]) -> CheckpointContext:
    """With the prompt that a command asks for; keys that it leaves out stay the study's."""
    suffix, given = settings.get("prompt_suffix"), settings.get("prompt")
    if suffix is not None:
        context = replace(context, prompt_suffix=str(suffix))
    if not isinstance(given, Mapping):
        return context
    source = "the given" if "examples" in given else context.examples_of
    return replace(context, prompt=context.prompt.changed(given), examples_of=source)


def _found(checkpoint: Path) -> CheckpointContext:
    made = list(history(checkpoint))
    if not made:
        return CheckpointContext()
    artifact = made[0][0]
    context = _from_manifests(artifact, [manifest for _, manifest in made])
    root = artifact.parent.parent
    if not (root / "study.json").is_file():
        return context
    study = load_study(root)
    stage = next((stage for stage in study.nodes if stage.folder == artifact), None)
    return _from_study(context, study, stage) if stage else context


def _from_manifests(artifact: Path, manifests: list[dict[str, Any]]) -> CheckpointContext:
    """From the artifact's own manifest, which is the first, then from those of what it was made from."""
    configs = [manifest["config"] for manifest in manifests]
    worlds = [config["world"] for config in configs if "world" in config]
    suffixes = [config.get("rl", config).get("prompt_suffix") for config in configs]
    behaviours: dict[str, dict[str, object]] = configs[0].get("behaviours", {})
    prompts = [found for config in configs if (found := config.get("rl", config).get("prompt"))]
    context = CheckpointContext(
        prompt=PromptConfig.parse(prompts[0] if prompts else {}, "prompt"),
        origin=f"of {artifact.name}",
        prompt_suffix=next((suffix for suffix in suffixes if suffix is not None), DEFAULT_SUFFIX),
        behaviours={
            name: BehaviourConfig.parse(settings, f"behaviours.{name}")
            for name, settings in behaviours.items()
        },
        modules={
            name.removeprefix(_MODULE): digest
            for name, digest in manifests[0]["inputs"].items()
            if name.startswith(_MODULE)
        },
    )
    if not worlds:
        return context
    return replace(context, world=WorldConfig.parse(worlds[0], "world"), world_of=f"that of {artifact.name}")


def _from_study(context: CheckpointContext, study: StoredStudy, stage: StoredStage) -> CheckpointContext:
    """With what only the recipe says: the evaluation's settings, where modules lie, the base's behaviours."""
    recipe: dict[str, Any] = dict(study.recipe)
    behaviours = {
        name: BehaviourConfig.parse(settings, f"behaviours.{name}")
        for name, settings in recipe.get("behaviours", {}).items()
    }
    digests = context.modules
    return replace(
        context,
        origin=f"{stage.id} of study {study.name}",
        prompt_suffix=str(recipe.get("prompt_suffix", context.prompt_suffix)),
        prompt=PromptConfig.parse(recipe.get("prompt", {}), "prompt"),
        world_of="the study's",
        evaluate=EvaluateRecipe.parse(recipe.get("evaluate", {}), "evaluate"),
        columns=ProblemColumns.parse(recipe.get("columns", {}), "columns"),
        data_seed=_data_seed(recipe.get("data_seed", 0), stage),
        behaviours={name: own for name, own in behaviours.items() if own.tracked_in(stage.mixture)},
        modules={str(path): digests.get(Path(path).name, "") for path in recipe.get("modules", ())},
    )


def _data_seed(of_recipe: object, stage: StoredStage) -> int:
    """The seed of a stage's documents and problems: the recipe's, or its own with `data_seed: seed`."""
    return (stage.seed or 0) if of_recipe == "seed" else int(str(of_recipe))


def _load(modules: Mapping[str, str]) -> None:
    """Import what the study imported, unless a file of the same name was given with `--module`."""
    for place, digest in modules.items():
        path = Path(place)
        if path.name in loaded_modules():
            continue
        if not path.is_file() or (digest and hash_file(path) != digest):
            state = "was changed since it was trained" if path.is_file() else "is not there"
            raise UserError(
                f"{place}: this checkpoint's study uses this module, which {state}; give --module FILE.py"
            )
        say(f"runs the study's module {place}")
        load_user_modules([place])
