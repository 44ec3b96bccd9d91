"""A recipe becomes a graph of stages: what is shared is one node, keyed by content."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.artifacts import Spec, Store, hash_file, hash_path
from ..core.errors import UserError
from ..core.types import Problem
from ..data import hub
from ..data.registered_sources import is_registered
from ..model.runtime import Runtime
from ..rl import loop as rl
from ..rl.config import RLConfig
from ..rollout.sample_and_grade import Labels
from ..stages import evaluate as evaluating
from ..stages import prepare, pretrain, probe
from .grid import matches
from .ingredients import arm_source, existing, problem_source, tracked, world_settings
from .recipe import EvaluateRecipe, Recipe
from .user_modules import load_user_modules

Run = Callable[[Path, Runtime], None]


@dataclass(frozen=True)
class Node:
    """One stage of the study."""

    id: str
    """Readable path: `rl/tg_omi1_omi2/nano-0.8m/grpo/seed0`."""
    spec: Spec
    parents: tuple[str, ...]
    run: Run
    """Writes the payload into the given folder."""
    mixture: str | None = None
    size: str | None = None
    arm: str | None = None
    seed: int | None = None
    evaluation: str | None = None
    """Name in `also_evaluate`; None: the study's own evaluation."""
    from_step: int | None = None
    """Pretraining step that RL starts from, or that a base is evaluated at; None: the last."""

    @property
    def kind(self) -> str:
        """The stage: tokenizer, problems, shards, pretrain, rl, evaluate or probe."""
        return self.spec.kind


class Graph:
    """Nodes in an order in which they can run; equal specs share one artifact."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        self.recipe, self.store = recipe, store
        self.modules = load_user_modules(recipe.modules)
        """Content of the user's modules: what is graded or rewarded by them depends on it."""
        self.nodes: dict[str, Node] = {}
        self._build()

    def folder(self, node_id: str) -> Path:
        """Where a node's artifact is, once it is there."""
        return self.store.path(self.nodes[node_id].spec)

    def _fingerprints(self, **roles: str) -> dict[str, str]:
        return {role: self.nodes[node_id].spec.fingerprint for role, node_id in roles.items()}

    def _add(self, node: Node) -> str:
        self.nodes[node.id] = node
        return node.id

    def _build(self) -> None:
        recipe = self.recipe
        tokenizer = self._tokenizer()
        tests = self._tests(recipe.evaluate)
        for mixture in recipe.mixtures:
            places = [(size, seed) for size in recipe.sizes for seed in recipe.seeds]
            wanted = [(z, s) for z, s in places if not recipe.grid.skips(mixture=mixture, size=z, seed=s)]
            shards = self._shards(mixture, tokenizer, tests) if wanted else ""
            for size, seed in wanted:
                self._arms(
                    Place(mixture, size, seed), self._pretrain(mixture, size, seed, shards, tokenizer), tests
                )
        for node in [node for node in self.nodes.values() if node.kind == "shards"]:
            self._surface(node)

    def _arms(self, place: "Place", base: str, tests: dict[str, str]) -> None:
        """A base, its RL arms, and the evaluations of both."""
        recipe = self.recipe
        point: dict[str, Any] = {"mixture": place.mixture, "size": place.size, "seed": place.seed}
        self._evaluate_base(place, base, recipe.evaluate, tests)
        if recipe.probe and not recipe.probe.where:
            self._probe(place, base, None, tests)
        for arm, config in recipe.rl.items():
            if recipe.grid.skips(**point, rl=arm):
                continue
            start = recipe.grid.start(**point, rl=arm)
            here = replace(place, from_step=start)
            if start is not None:
                self._evaluate_base(here, base, recipe.evaluate, tests)
            here = replace(here, arm=arm)
            trained = self._rl(here, base, config)
            self._evaluate_rl(here, trained, recipe.evaluate, tests)
            if recipe.probe and matches(recipe.probe.where, {**point, "rl": arm}):
                self._probe(replace(here, arm=None), base, None, tests)
                self._probe(here, trained, base, tests)
            for name, extra in recipe.also_evaluate.items():
                if matches(extra.where, {**point, "rl": arm}):
                    sets = self._tests(extra)
                    self._evaluate_base(replace(here, arm=None, evaluation=name), base, extra, sets)
                    self._evaluate_rl(replace(here, evaluation=name), trained, extra, sets)

    def _tests(self, settings: EvaluateRecipe) -> dict[str, str]:
        """Problem set -> node that holds its problems."""
        return {name: self._problems(name, settings.split, settings.count) for name in settings.sets}

    def _tokenizer(self) -> str:
        config, world = self.recipe.tokenizer, self.recipe.world
        inputs = (
            {}
            if config.corpus == "reference"
            else {"corpus": hash_file(existing(config.corpus) / "tokenizer.json")}
        )
        spec = Spec(
            "tokenizer",
            {"tokenizer": config.identity()} | world_settings(self.recipe.world),
            prepare.TOKENIZER_VERSION,
            inputs=inputs,
        )
        return self._add(
            Node("tokenizer", spec, (), lambda folder, _: prepare.prepare_tokenizer(config, world, folder))
        )

    def _problems(self, name: str, split: str, count: int) -> str:
        source = problem_source(self.recipe, name, split, count)
        return self._add(Node(source.id, source.spec, (), lambda folder, _: source.prepare(folder)))

    def _shards(self, mixture: str, tokenizer: str, tests: dict[str, str]) -> str:
        recipe, config = self.recipe, self.recipe.mixtures[mixture]
        inputs = {
            name: hash_path(existing(source.path)) for name, source in config.sources.items() if source.path
        }
        inputs |= {
            name: hub.hub_place(source.hub, source.revision).commit
            for name, source in config.sources.items()
            if source.hub
        }
        own = any(is_registered(name, source) for name, source in config.sources.items())
        inputs |= self.modules if own else {}
        # The world's splits part by structure; only real rows and a user's own documents can contain a test
        # problem by accident.
        real = own or any(source.path or source.hub for source in config.sources.values())
        checked = tests if real else {}
        settings = {
            "mixture": config.identity(),
            "prompt_suffix": recipe.prompt_suffix,
            "seed": recipe.data_seed,
        } | world_settings(self.recipe.world)
        settings |= {"checked": prepare.CHECKED_VERSION} if checked else {}
        spec = Spec(
            "shards",
            settings,
            prepare.SHARDS_VERSION,
            self._fingerprints(tokenizer=tokenizer, **checked),
            inputs,
        )

        def run(folder: Path, _: Runtime) -> None:
            against = {name: prepare.read_problems(self.folder(node)) for name, node in checked.items()}
            prepare.prepare_shards(
                config,
                recipe.world,
                recipe.prompt_suffix,
                recipe.data_seed,
                self.folder(tokenizer),
                folder,
                against,
            )

        return self._add(Node(f"shards/{mixture}", spec, (tokenizer, *checked.values()), run, mixture))

    def _surface(self, shards: Node) -> None:
        """What surface cues answer of the sets that are not the world's, given a mixture's questions; nothing rests on it."""
        sets = {
            node.id.removeprefix("problems/"): node.id
            for node in self.nodes.values()
            if node.kind == "problems" and "problems" not in node.spec.config
        }
        if not sets:
            return
        recipe, config = self.recipe, self.recipe.mixtures[shards.mixture or ""]
        spec = Spec(
            "surface",
            {"seed": recipe.data_seed},
            prepare.SURFACE_VERSION,
            self._fingerprints(shards=shards.id, **sets),
        )

        def run(folder: Path, _: Runtime) -> None:
            train = prepare.read_questions(self.folder(shards.id), config, recipe.world, recipe.data_seed)
            prepare.prepare_surface(
                train,
                {name: prepare.read_problems(self.folder(node)) for name, node in sets.items()},
                recipe.data_seed,
                folder,
            )

        self._add(Node(f"surface/{shards.mixture}", spec, (shards.id, *sets.values()), run, shards.mixture))

    def _pretrain(self, mixture: str, size: str, seed: int, shards: str, tokenizer: str) -> str:
        config = pretrain.PretrainConfig(**dict(self.recipe.pretrain), size=size)
        settings = {"pretrain": config.identity(), "seed": seed, "runtime": self.recipe.runtime.identity()}
        spec = Spec(
            "pretrain", settings, pretrain.VERSION, self._fingerprints(shards=shards, tokenizer=tokenizer)
        )

        def run(folder: Path, runtime: Runtime) -> None:
            pretrain.pretrain(config, seed, self.folder(shards), self.folder(tokenizer), folder, runtime)

        return self._add(
            Node(
                f"pretrain/{mixture}/{size}/seed{seed}",
                spec,
                (shards, tokenizer),
                run,
                mixture,
                size,
                None,
                seed,
            )
        )

    def _rl(self, place: "Place", base: str, config: RLConfig) -> str:
        config, settings, inputs = arm_source(self.recipe, config, place.seed, self.modules, place.mixture)
        problems = self._problems(config.problems.set, "train", config.problems.count)
        settings |= {"from_step": place.from_step} if place.from_step is not None else {}
        spec = Spec("rl", settings, rl.VERSION, self._fingerprints(base=base, problems=problems), inputs)

        def run(folder: Path, runtime: Runtime) -> None:
            chosen = prepare.read_problems(self.folder(problems))
            rl.rl(
                config, place.seed, checkpoint_at(self.folder(base), place.from_step), chosen, folder, runtime
            )

        return self._add(place.node("rl", spec, (base, problems), run))

    def _evaluate_base(self, place: "Place", base: str, how: EvaluateRecipe, tests: dict[str, str]) -> None:
        ends = how.samples.ends

        def targets() -> list[evaluating.Target]:
            return [evaluating.Target(0, checkpoint_at(self.folder(base), place.from_step), ends)]

        self._evaluate(place, base, how, tests, targets, {"ends": ends})

    def _evaluate_rl(self, place: "Place", trained: str, how: EvaluateRecipe, tests: dict[str, str]) -> None:
        samples = how.samples

        def targets() -> list[evaluating.Target]:
            # Step 0 is the base, scored once for all arms.
            found = {
                step: folder for step, folder in checkpoints_of(self.folder(trained)).items() if step > 0
            }
            counted = {
                step: samples.ends if step == max(found) else samples.between for step in sorted(found)
            }
            return [evaluating.Target(step, found[step], count) for step, count in counted.items() if count]

        self._evaluate(place, trained, how, tests, targets, samples.identity())

    def _evaluate(
        self,
        place: "Place",
        checkpoint: str,
        how: EvaluateRecipe,
        tests: dict[str, str],
        targets: Callable[[], list[evaluating.Target]],
        samples: dict[str, int],
    ) -> None:
        recipe = self.recipe
        drawn = {
            name: getattr(how, name) for name in ("temperature", "top_p", "top_k", "stop", "max_new_tokens")
        }
        config = evaluating.EvaluateConfig(**drawn, prompt_suffix=recipe.prompt_suffix)
        settings = {
            "evaluate": config.identity(),
            "samples": samples,
            "arm": place.arm,
            "seed": place.seed,
            "runtime": recipe.runtime.identity(),
        }
        settings |= tracked(self.recipe, place.mixture) | (
            {"from_step": place.from_step} if place.from_step is not None and place.arm is None else {}
        )
        spec = Spec(
            "evaluate",
            settings,
            evaluating.VERSION,
            self._fingerprints(checkpoint=checkpoint, **tests),
            self.modules,
        )

        def run(folder: Path, runtime: Runtime) -> None:
            sets: dict[str, list[Problem]] = {
                label: prepare.read_problems(self.folder(node)) for label, node in tests.items()
            }
            evaluating.evaluate(
                config, targets(), sets, folder, runtime, Labels(place.arm or "base", place.seed)
            )

        self._add(place.node("evaluate", spec, (checkpoint, *tests.values()), run))

    def _probe(self, place: "Place", checkpoint: str, reference: str | None, tests: dict[str, str]) -> None:
        """Probe of a last checkpoint, compared with the base it came from."""
        recipe = self.recipe
        assert recipe.probe is not None
        config = probe.ProbeConfig(
            **recipe.probe.settings(),
            max_new_tokens=recipe.evaluate.max_new_tokens,
            prompt_suffix=recipe.prompt_suffix,
        )
        settings = {
            "probe": config.identity(),
            "openings": config.forced(),
            "arm": place.arm,
            "seed": place.seed,
            "runtime": recipe.runtime.identity(),
        }
        settings |= tracked(self.recipe, place.mixture) | (
            {"from_step": place.from_step} if place.from_step is not None else {}
        )
        roles = {"checkpoint": checkpoint} | ({"reference": reference} if reference else {})
        spec = Spec("probe", settings, probe.VERSION, self._fingerprints(**roles, **tests))

        def run(folder: Path, runtime: Runtime) -> None:
            sets = {label: prepare.read_problems(self.folder(node)) for label, node in tests.items()}
            step = 0 if place.arm is None else max(checkpoints_of(self.folder(checkpoint)))
            chosen = checkpoint_at(self.folder(checkpoint), place.from_step if place.arm is None else None)
            base = (
                probe.Checkpoint(0, checkpoint_at(self.folder(reference), place.from_step))
                if reference
                else None
            )
            probe.probe(
                config,
                probe.Checkpoint(step, chosen),
                base,
                [],
                sets,
                folder,
                runtime,
                Labels(place.arm or "base", place.seed),
            )

        self._add(place.node("probe", spec, (*roles.values(), *tests.values()), run))


@dataclass(frozen=True)
class Place:
    """Where in the grid a stage stands."""

    mixture: str
    size: str
    seed: int
    arm: str | None = None
    from_step: int | None = None
    evaluation: str | None = None

    def node(self, kind: str, spec: Spec, parents: tuple[str, ...], run: Run) -> Node:
        """A node named after this place: `evaluate@cold/tg/nano-0.8m/base@400/seed0`."""
        label = self.arm or ("base" if self.from_step is None else f"base@{self.from_step}")
        name = kind + (f"@{self.evaluation}" if self.evaluation else "")
        where = (self.mixture, self.size, self.arm, self.seed, self.evaluation, self.from_step)
        return Node(f"{name}/{self.mixture}/{self.size}/{label}/seed{self.seed}", spec, parents, run, *where)


def checkpoint_at(folder: Path, step: int | None) -> Path:
    """A pretraining's checkpoint at a step, or its last."""
    if step is None:
        return last_checkpoint(folder)
    found = checkpoints_of(folder)
    if step not in found:
        raise UserError(
            f"grid.from_step: pretraining kept steps {', '.join(map(str, sorted(found)))}, not {step}; choose one, or name it in pretrain.keep_steps"
        )
    return found[step]


def last_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of an artifact; a checkpoint folder itself is returned as it is."""
    if (folder / "config.json").is_file():
        return folder
    found = checkpoints_of(folder)
    if not found:
        raise UserError(
            f"{folder}: neither a checkpoint folder (config.json) nor an artifact with checkpoints/step_N"
        )
    return found[max(found)]


def checkpoints_of(folder: Path) -> dict[int, Path]:
    """Step -> checkpoint folder of an artifact."""
    return {int(path.name[5:]): path for path in folder.glob("checkpoints/step_*") if path.name[5:].isdigit()}
