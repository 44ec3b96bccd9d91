"""The recipe: one YAML file that says everything about a study (grammar in docs/recipes.md)."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..core.config import Config, apply_overrides
from ..core.errors import UserError
from ..core.formats import FORMAT_NAMES
from ..core.progress import say
from ..core.trackers.interface import TrackerName, check_installed
from ..data.columns import ProblemColumns
from ..data.hub import HubConfig
from ..data.source_config import MixtureConfig
from ..data.world import WorldConfig
from ..model.presets import SIZES
from ..model.prompt import PromptConfig
from ..model.settings import RuntimeConfig
from ..papers.claim_names import check_claims
from ..rl.config import RLConfig
from ..rl.presets import rl_preset
from ..rollout.engine_names import check_engine_name, check_repeatable
from ..stages.settings import PretrainRecipe, TokenizerConfig
from ..verify.behaviours import BehaviourConfig, behaviour_formats, behaviour_traits
from .grid import GridConfig, named
from .module_trial import try_out
from .recipe_files import find_recipe, read_recipe, refuse_mistyped_names, shipped_folder
from .recipe_sections import (
    AlsoEvaluate,
    ClaimNames,
    EvaluateRecipe,
    ForecastRecipe,
    LaunchConfig,
    ProbeArms,
    ResumeConfig,
)
from .scopes import lay_scope, merge, take_scope
from .user_modules import load_user_modules

DEFAULT_SUFFIX = "\n\n"


class Recipe(Config):
    """A whole study. Defaults fill what a file leaves out; `echochamber show` prints them all."""

    told_alone: ClassVar[frozenset[str]] = frozenset({"modules"})

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    question: str = ""
    """What the study asks, in one sentence."""
    summary: str = ""
    """What it reproduces, what to expect and what it costs; shown by `echochamber recipes`."""
    notes: tuple[str, ...] = ()
    """Caveats that the report shows near the top."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Pretraining seeds: the unit of every claim."""
    data_seed: int | Literal["seed"] = 0
    """Seed of the documents and problem sets, shared by all arms and seeds; `seed`: one for each seed."""
    modules: tuple[str, ...] = ()
    """Python files of the user's own that register formats and rewards; imported before the study runs."""
    prompt_suffix: str = DEFAULT_SUFFIX
    prompt: PromptConfig = PromptConfig()
    """Template, system message and examples; `suffix` and `document_suffix` here are those below."""
    document_suffix: str | None = None
    """Text between question and solution in training documents; None: `prompt_suffix`."""
    on_bad_row: Literal["error", "skip"] = "error"
    """Rows of problem files that cannot be read; sources have a setting of their own."""
    columns: ProblemColumns = ProblemColumns()
    """Which columns of problem files hold what, where a file has a layout of its own."""
    hub: HubConfig = HubConfig()
    world: WorldConfig = WorldConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    base: str | None = None
    """A checkpoint that the arms start from, instead of pretraining on `mixtures`: a folder or hub name."""
    mixtures: dict[str, MixtureConfig] = Field(min_length=1)
    sizes: tuple[str, ...] = Field(default=("nano-0.8m",), min_length=1)
    pretrain: PretrainRecipe = PretrainRecipe()
    rl: dict[str, RLConfig] = {}
    grid: GridConfig = GridConfig()
    evaluate: EvaluateRecipe = EvaluateRecipe()
    also_evaluate: dict[str, AlsoEvaluate] = {}
    behaviours: dict[str, BehaviourConfig] = {}
    """Formats that the recipe describes, asked before the shipped ones in this order; and traits."""
    scope: str | None = None
    """Which of the recipe's `scopes` this is."""
    forecast: ForecastRecipe = ForecastRecipe()
    """Forecasts of the arms on the evaluated problem sets, from the bases' evaluations."""
    probe: ProbeArms | None = None
    """Forced formats, temperatures and likelihoods of last checkpoints. None: no probes."""
    claim_names: ClaimNames = ClaimNames()
    claims: tuple[int | str, ...] = ()
    """Claims to judge: numbers of the paper, or `SET/NAME` for claims that a module registers."""
    runtime: RuntimeConfig = RuntimeConfig()
    resume: ResumeConfig = ResumeConfig()
    launch: LaunchConfig = LaunchConfig()
    """Processes, GPUs and retries of stages; no part of any fingerprint."""
    track: tuple[TrackerName, ...] = ()
    """Trackers that get the metrics logs of pretraining and RL; no part of any fingerprint."""

    @model_validator(mode="before")
    @classmethod
    def _suffixes(cls, data: object) -> object:
        """`prompt.suffix` and `prompt.document_suffix` are other names of two keys of the recipe."""
        if not isinstance(data, dict) or not isinstance(data.get("prompt"), dict):
            return data
        data, prompt = dict(data), dict(data["prompt"])
        for inner, outer in (("suffix", "prompt_suffix"), ("document_suffix", "document_suffix")):
            if inner in prompt:
                value = prompt.pop(inner)
                if data.setdefault(outer, value) != value:
                    raise ValueError(f"prompt.{inner} and {outer} differ; give one of them")
        return data | {"prompt": prompt}

    @property
    def fixed_data_seed(self) -> int:
        """`data_seed` as a number; a graph at one seed has it where the recipe says `seed`."""
        assert isinstance(self.data_seed, int), "data_seed follows the seed: take StageGraph.at_seed first"
        return self.data_seed

    @field_validator("modules")
    @classmethod
    def _imported(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Imported here, before the arms are checked: these may name a reward that a module registers."""
        load_user_modules(value)
        return value

    @field_validator("claims")
    @classmethod
    def _known(cls, value: tuple[int | str, ...]) -> tuple[int | str, ...]:
        """Modules stand before the claims, so that those they register are known here."""
        check_claims(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = [size for size in self.sizes if size not in SIZES]
        if unknown:
            raise ValueError(f"size {unknown[0]!r} is not known; there are {', '.join(SIZES)}")
        check_engine_name(self.runtime.engine)
        check_repeatable(self.runtime.engine, self.runtime.repeatable)
        for name, arm in self.rl.items():
            if arm.prompt_suffix not in (DEFAULT_SUFFIX, self.prompt_suffix):
                raise ValueError(
                    f"rl.{name}.prompt_suffix differs from the study's; set 'prompt_suffix' once, at the top"
                )
            if arm.prompt not in (PromptConfig(), self.prompt):
                raise ValueError(f"rl.{name}.prompt differs from the study's; set 'prompt' once, at the top")
        rules = [
            *self.grid.rules,
            *(extra.where for extra in self.also_evaluate.values()),
            *([self.probe.where] if self.probe else []),
        ]
        for key, known in (("mixture", self.mixtures), ("rl", self.rl), ("size", SIZES)):
            wrong = [str(value) for rule in rules for value in named(rule, key) if value not in known]
            if wrong:
                raise ValueError(
                    f"a rule of grid, also_evaluate or probe names {key} {wrong[0]!r}; "
                    f"there are {', '.join(known)}"
                )
        # Without keep_steps the kept steps follow from the mixture's tokens, unknown before it is prepared.
        dropped = [
            rule.step
            for rule in self.grid.from_step
            if self.pretrain.keep_steps and rule.step not in self.pretrain.keep_steps
        ]
        if dropped:
            raise ValueError(
                f"grid.from_step starts at step {dropped[0]}; "
                f"pretrain.keep_steps has {', '.join(map(str, self.pretrain.keep_steps))}"
            )
        taken = [name for name in self.behaviours if name in FORMAT_NAMES]
        if taken:
            raise ValueError(f"behaviours.{taken[0]}: the name is a shipped format's; choose another")
        try_out(behaviour_formats(self.behaviours), [], "behaviours", behaviour_traits(self.behaviours))
        for name, behaviour in self.behaviours.items():
            lost = [pattern for pattern in behaviour.only if not fnmatch.filter(self.mixtures, pattern)]
            if lost:
                raise ValueError(
                    f"behaviours.{name}.only names {lost[0]!r}, which is no mixture; "
                    f"there are {', '.join(self.mixtures)}"
                )
        lost = [name for name in self.claim_names.mixtures.values() if name not in self.mixtures]
        lost += [name for name in self.claim_names.sets.values() if name not in self._evaluated_sets()]
        if lost:
            raise ValueError(
                f"claim_names names {lost[0]!r}, which is no mixture or evaluated set of the recipe"
            )
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} repeat")
        return self

    def _evaluated_sets(self) -> set[str]:
        return {name for how in (self.evaluate, *self.also_evaluate.values()) for name in how.sets}

    @property
    def suffix_of_documents(self) -> str:
        """Text between question and solution in training documents."""
        return self.prompt_suffix if self.document_suffix is None else self.document_suffix

    def behaviours_of(self, mixture: str | None) -> dict[str, BehaviourConfig]:
        """The behaviours that runs from a base of this mixture track; None: a base that is no mixture's."""
        return {
            name: behaviour for name, behaviour in self.behaviours.items() if behaviour.tracked_in(mixture)
        }


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or a YAML file by its path.

    `overrides`: dotted settings that are laid over it, such as "seeds=[0,1]" or "rl.grpo.steps=20".
    `UserError` names the key, the value and what is allowed.
    """
    path, data = _recipe_data(name_or_path, overrides)
    arms = data.get("rl")
    if isinstance(arms, dict):
        data["rl"] = resolve_inheritance(arms, str(path))
    source = str(path) if path.parent != shipped_folder() else f"recipe {name_or_path}"
    recipe = Recipe.parse(data, source)
    check_installed(recipe.track, source)
    return recipe


def _recipe_data(name_or_path: str, overrides: Sequence[str]) -> tuple[Path, dict[str, object]]:
    """A recipe's file and its content with the overrides, before anything in it is checked or run."""
    path = find_recipe(name_or_path)
    scope, rest = take_scope(list(overrides))
    data = lay_scope(read_recipe(path), scope, str(path))
    refuse_mistyped_names(data, rest)
    return path, apply_overrides(data, rest)


def say_modules(name_or_path: str, overrides: Sequence[str]) -> None:
    """Name the Python files that reading this recipe will run, before they run."""
    modules = _recipe_data(name_or_path, overrides)[1].get("modules")
    for module in modules if isinstance(modules, list) else [modules] if modules else []:
        say(f"modules: {module} is Python of the recipe's author, and is run now")


def study_folder(recipe: Recipe, out: Path | None) -> Path:
    """The output folder: runs/RECIPE where none is given."""
    return out or Path("runs") / recipe.name


def resolve_inheritance(arms: Mapping[object, object], source: str) -> dict[object, object]:
    """Lay each arm over the arm that it `inherits`, or over a named `preset`, nested keys included."""

    def resolved(name: object, below: tuple[object, ...]) -> object:
        arm = arms[name]
        if isinstance(arm, dict) and "preset" in arm:
            arm = merge(
                rl_preset(arm["preset"], f"{source}: rl.{name}.preset"),
                {k: v for k, v in arm.items() if k != "preset"},
            )
        if not isinstance(arm, dict) or "inherits" not in arm:
            return arm
        parent = arm["inherits"]
        if not isinstance(parent, str) or parent not in arms or parent in below:
            allowed = ", ".join(str(key) for key in arms if key not in below)
            raise UserError(f"{source}: rl.{name}.inherits is {parent!r}; allowed are {allowed or 'none'}")
        own = {key: value for key, value in arm.items() if key != "inherits"}
        inherited = resolved(parent, (*below, parent))
        if not isinstance(inherited, dict):
            raise UserError(f"{source}: rl.{name}.inherits names rl.{parent}, which is no mapping of keys")
        return merge(inherited, own)

    return {name: resolved(name, (name,)) for name in arms}
