"""A recipe becomes a graph of stages: what is shared is one node, keyed by content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import Spec, Store, hash_file, hash_path
from ..core.errors import UserError
from ..core.types import Problem
from ..model.runtime import Runtime
from ..stages import evaluate as evaluating
from ..stages import prepare, pretrain, probe, rl
from ..stages.graded import Labels
from ..stages.rl_config import RLConfig
from .recipe import Recipe
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
        tests = {name: self._problems(name, recipe.evaluate.split, recipe.evaluate.count) for name in recipe.evaluate.sets}
        for mixture in recipe.mixtures:
            shards = self._shards(mixture, tokenizer, tests)
            for size in recipe.sizes:
                for seed in recipe.seeds:
                    if recipe.grid.skips(mixture=mixture, size=size, seed=seed):
                        continue
                    base = self._pretrain(mixture, size, seed, shards, tokenizer)
                    self._evaluate_base(mixture, size, seed, base, tests)
                    self._probe(mixture, size, None, seed, base, None, tests)
                    for arm, config in recipe.rl.items():
                        if not recipe.grid.skips(mixture=mixture, size=size, seed=seed, rl=arm):
                            trained = self._rl(mixture, size, arm, seed, base, config)
                            self._evaluate_rl(mixture, size, arm, seed, trained, tests)
                            self._probe(mixture, size, arm, seed, trained, base, tests)

    def _tokenizer(self) -> str:
        config, world = self.recipe.tokenizer, self.recipe.world
        inputs = {} if config.corpus == "reference" else {"corpus": hash_file(_existing(config.corpus) / "tokenizer.json")}
        spec = Spec("tokenizer", {"tokenizer": config.resolved(), "world": world.resolved()}, prepare.TOKENIZER_VERSION, inputs=inputs)
        return self._add(Node("tokenizer", spec, (), lambda folder, _: prepare.prepare_tokenizer(config, world, folder)))

    def _problems(self, name: str, split: str, count: int) -> str:
        if any(mark in name for mark in "./"):
            return self._problem_file(_existing(name), count)
        config = prepare.ProblemSetConfig(set=name, split=split, count=count, seed=self.recipe.data_seed)
        world = self.recipe.world
        spec = Spec("problems", {"problems": config.resolved(), "world": world.resolved()}, prepare.PROBLEMS_VERSION)
        return self._add(Node(f"problems/{split}/{name}/{count}", spec, (), lambda folder, _: prepare.prepare_problems(config, world, folder)))

    def _problem_file(self, path: Path, count: int) -> str:
        """A user's own problems: keyed by content, so that an edited file is another set."""
        policy = self.recipe.on_bad_row
        settings = {"file": path.name, "count": count, "on_bad_row": policy}
        spec = Spec("problems", settings, prepare.PROBLEMS_VERSION, inputs={"file": hash_file(path)})
        return self._add(Node(f"problems/{path.as_posix().strip('/')}/{count}", spec, (), lambda folder, _: prepare.prepare_problem_file(path, count, policy, folder)))

    def _shards(self, mixture: str, tokenizer: str, tests: dict[str, str]) -> str:
        recipe, config = self.recipe, self.recipe.mixtures[mixture]
        inputs = {name: hash_path(_existing(source.path)) for name, source in config.sources.items() if source.path}
        # The world's splits part by structure; only real rows can contain a test problem by accident.
        real = any(source.path or source.hub for source in config.sources.values())
        checked = tests if real else {}
        settings = {"mixture": config.resolved(), "world": recipe.world.resolved(), "prompt_suffix": recipe.prompt_suffix, "seed": recipe.data_seed}
        spec = Spec("shards", settings, prepare.SHARDS_VERSION, self._fingerprints(tokenizer=tokenizer, **checked), inputs)

        def run(folder: Path, _: Runtime) -> None:
            against = {name: prepare.read_problems(self.folder(node)) for name, node in checked.items()}
            prepare.prepare_shards(config, recipe.world, recipe.prompt_suffix, recipe.data_seed, self.folder(tokenizer), folder, against)

        return self._add(Node(f"shards/{mixture}", spec, (tokenizer, *checked.values()), run, mixture))

    def _pretrain(self, mixture: str, size: str, seed: int, shards: str, tokenizer: str) -> str:
        config = pretrain.PretrainConfig(**dict(self.recipe.pretrain), size=size)
        settings = {"pretrain": config.resolved(), "seed": seed, "runtime": self.recipe.runtime.resolved()}
        spec = Spec("pretrain", settings, pretrain.VERSION, self._fingerprints(shards=shards, tokenizer=tokenizer))

        def run(folder: Path, runtime: Runtime) -> None:
            pretrain.pretrain(config, seed, self.folder(shards), self.folder(tokenizer), folder, runtime)

        return self._add(Node(f"pretrain/{mixture}/{size}/seed{seed}", spec, (shards, tokenizer), run, mixture, size, None, seed))

    def _rl(self, mixture: str, size: str, arm: str, seed: int, base: str, config: RLConfig) -> str:
        config = config.model_copy(update={"prompt_suffix": self.recipe.prompt_suffix})
        problems = self._problems(config.problems.set, "train", config.problems.count)
        settings = {"rl": config.resolved(), "seed": seed, "runtime": self.recipe.runtime.resolved()}
        inputs = {"completions": hash_file(_existing(config.completions))} if config.completions else {}
        inputs |= self.modules
        spec = Spec("rl", settings, rl.VERSION, self._fingerprints(base=base, problems=problems), inputs)

        def run(folder: Path, runtime: Runtime) -> None:
            chosen = prepare.read_problems(self.folder(problems))
            rl.rl(config, seed, last_checkpoint(self.folder(base)), chosen, folder, runtime)

        return self._add(Node(f"rl/{mixture}/{size}/{arm}/seed{seed}", spec, (base, problems), run, mixture, size, arm, seed))

    def _evaluate_base(self, mixture: str, size: str, seed: int, base: str, tests: dict[str, str]) -> None:
        ends = self.recipe.evaluate.samples.ends
        self._evaluate(
            f"{mixture}/{size}/base/seed{seed}", base, tests, lambda: [evaluating.Target(0, last_checkpoint(self.folder(base)), ends)],
            {"ends": ends}, mixture, size, None, seed,
        )  # fmt: skip

    def _evaluate_rl(self, mixture: str, size: str, arm: str, seed: int, trained: str, tests: dict[str, str]) -> None:
        samples = self.recipe.evaluate.samples

        def targets() -> list[evaluating.Target]:
            # Step 0 is the base, scored once for all arms.
            found = {step: folder for step, folder in checkpoints_of(self.folder(trained)).items() if step > 0}
            return [evaluating.Target(s, f, samples.ends if s == max(found) else samples.between) for s, f in sorted(found.items())]

        self._evaluate(f"{mixture}/{size}/{arm}/seed{seed}", trained, tests, targets, samples.resolved(), mixture, size, arm, seed)

    def _evaluate(
        self, name: str, checkpoint: str, tests: dict[str, str], targets: Callable[[], list[evaluating.Target]],
        samples: dict[str, int], mixture: str, size: str, arm: str | None, seed: int,
    ) -> None:  # fmt: skip
        recipe = self.recipe
        drawn = {name: getattr(recipe.evaluate, name) for name in ("temperature", "top_p", "top_k", "stop", "max_new_tokens")}
        config = evaluating.EvaluateConfig(**drawn, prompt_suffix=recipe.prompt_suffix)
        settings = {"evaluate": config.resolved(), "samples": samples, "arm": arm, "seed": seed, "runtime": recipe.runtime.resolved()}
        spec = Spec("evaluate", settings, evaluating.VERSION, self._fingerprints(checkpoint=checkpoint, **tests), self.modules)

        def run(folder: Path, runtime: Runtime) -> None:
            sets: dict[str, list[Problem]] = {label: prepare.read_problems(self.folder(node)) for label, node in tests.items()}
            evaluating.evaluate(config, targets(), sets, folder, runtime, Labels(arm or "base", seed))

        self._add(Node(f"evaluate/{name}", spec, (checkpoint, *tests.values()), run, mixture, size, arm, seed))


    def _probe(
        self, mixture: str, size: str, arm: str | None, seed: int, checkpoint: str, reference: str | None, tests: dict[str, str]
    ) -> None:
        """Probe of a last checkpoint, compared with the base it came from; nothing where the recipe does not ask for it."""
        recipe = self.recipe
        if recipe.probe is None:
            return
        config = probe.ProbeConfig(**dict(recipe.probe), max_new_tokens=recipe.evaluate.max_new_tokens, prompt_suffix=recipe.prompt_suffix)
        settings = {"probe": config.resolved(), "openings": config.forced(), "arm": arm, "seed": seed, "runtime": recipe.runtime.resolved()}
        roles = {"checkpoint": checkpoint} | ({"reference": reference} if reference else {})
        spec = Spec("probe", settings, probe.VERSION, self._fingerprints(**roles, **tests))

        def run(folder: Path, runtime: Runtime) -> None:
            sets = {label: prepare.read_problems(self.folder(node)) for label, node in tests.items()}
            place = last_checkpoint(self.folder(checkpoint))
            base = probe.Checkpoint(0, last_checkpoint(self.folder(reference))) if reference else None
            step = 0 if arm is None else max(checkpoints_of(self.folder(checkpoint)))
            probe.probe(config, probe.Checkpoint(step, place), base, [], sets, folder, runtime, Labels(arm or "base", seed))

        name = f"probe/{mixture}/{size}/{arm or 'base'}/seed{seed}"
        self._add(Node(name, spec, (*roles.values(), *tests.values()), run, mixture, size, arm, seed))


def last_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of an artifact; a checkpoint folder itself is returned as it is."""
    if (folder / "config.json").is_file():
        return folder
    found = checkpoints_of(folder)
    if not found:
        raise UserError(f"{folder}: neither a checkpoint folder (config.json) nor an artifact with checkpoints/step_N")
    return found[max(found)]


def checkpoints_of(folder: Path) -> dict[int, Path]:
    """Step -> checkpoint folder of an artifact."""
    return {int(path.name[5:]): path for path in folder.glob("checkpoints/step_*") if path.name[5:].isdigit()}


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return path
