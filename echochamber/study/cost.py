"""What a study will cost: `--dry-run` lists its stages, which of them are done, and the time for the rest.

A stage's cost is an estimate in seconds on a reference machine (nano-0.8m, one process, two cores of a
recent x86-64 server). It is scaled by finished stages of the same folder that are most alike, else by a
few seconds of training and sampling on this machine. So the constants only matter relative to each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..core.artifacts import Store
from ..model.presets import num_parameters, preset
from ..rl.algorithms import algorithm_row
from ..rl.config import checkpoint_steps, num_steps
from ..rollout.speed import measure_speed
from ..stages.probe import ProbeConfig
from .graph import build_graph
from .recipe import Recipe
from .stage_graph import StageGraph, StageNode
from .status import read_seconds

REFERENCE_SIZE = "nano-0.8m"
TRAIN_TOKENS_PER_S, SAMPLE_TOKENS_PER_S, PACK_TOKENS_PER_S = 24_000.0, 20_000.0, 900_000.0
GRADED_PER_S = 4_000.0
"""Completions graded and written per second of evaluation; RL grades while it samples."""
TOKENS_PER_COMPLETION, TOKENS_PER_DOCUMENT, DEFAULT_DOCUMENTS = 70.0, 130.0, 20_000
TOKENS_PER_PROMPT = 10.0
"""Per completion: the completions of one problem share its prompt of about 50 tokens."""
FORWARD = 1 / 3
"""Work of a forward pass, as a share of forward and backward."""
FIXED_SECONDS = {"tokenizer": 3.0, "problems": 2.0, "shards": 3.0, "pretrain": 5.0, "rl": 2.0,
                 "evaluate": 2.0, "probe": 2.0}  # fmt: skip
SCALED = ("shards", "pretrain", "rl", "evaluate", "probe")
"""Kinds whose time grows with their work; the others take seconds."""

Likeness = tuple[str, ...]
"""(kind, size, detail) or a beginning of it; () stands for all stages."""


class Cost(NamedTuple):
    """Seconds of a stage by what they are spent on, or factors on them."""

    fixed: float = 1.0
    train: float = 1.0
    sample: float = 1.0
    prepare: float = 1.0

    def total(self, factors: Iterable[float] = (1.0, 1.0, 1.0, 1.0)) -> float:
        """The sum, each part times its factor."""
        return sum(seconds * factor for seconds, factor in zip(self, factors, strict=True))


class Timed(NamedTuple):
    """A finished stage."""

    alike: Sequence[Likeness]
    """From the most to the least specific."""
    estimated: float
    """Seconds on the reference machine."""
    taken: float


class Rates:
    """Seconds taken per second estimated, by likeness."""

    def __init__(self, finished: Iterable[Timed]) -> None:
        self.count, sums = 0, dict[Likeness, tuple[float, float]]()
        for stage in finished:
            self.count += 1
            for key in stage.alike:
                taken, estimated = sums.get(key, (0.0, 0.0))
                sums[key] = taken + stage.taken, estimated + stage.estimated
        self.ratios = {key: taken / estimated for key, (taken, estimated) in sums.items() if estimated > 0}

    def ratio(self, alike: Sequence[Likeness]) -> float | None:
        """That of the most similar finished stages; None without any."""
        return next((self.ratios[key] for key in alike if key in self.ratios), None)


def describe_plan(recipe: Recipe, out: Path, workers: int = 1) -> str:
    """One line per stage, done (with its time) or to do (with its cost), then the time that all will take."""
    graph = build_graph(recipe, Store(out / "artifacts"))
    scope = f", scope {recipe.scope}" if recipe.scope else ""
    lines = [f"{recipe.name}{scope}: {len(graph.nodes)} stages in {out}"]
    costs, source = stage_costs(graph)
    for node in graph.nodes.values():
        if node.id in costs:
            started = " (started)" if graph.store.partial(node.spec).is_dir() else ""
            state = f"to do, about {costs[node.id]:.0f} s{started}"
        else:
            seconds = read_seconds(graph.store.path(node.spec))
            state = "done" + (f" in {seconds:.0f} s" if seconds is not None else "")
        lines.append(f"  {node.id:52} {node.spec.fingerprint}  {state}")
    minutes = wall_seconds(graph, costs, workers) / 60
    how = "one stage at a time" if workers == 1 else f"{workers} stages at a time"
    return "\n".join([*lines, f"estimated time to go: {minutes:.1f} minutes, {how} ({source})"])


def stage_costs(graph: StageGraph) -> tuple[dict[str, float], str]:
    """(stage id -> estimated seconds of every stage to do, where the rates come from)."""
    recipe, rates = graph.recipe, measured_rates(graph)
    to_do = [node for node in graph.nodes.values() if not graph.store.has(node.spec)]
    factors, source = machine_factors(graph, rates) if to_do else (Cost(), "nothing is to do")
    costs: dict[str, float] = {}
    for node in to_do:
        cost, ratio = estimate_cost(node, recipe), rates.ratio(alike(node, recipe))
        costs[node.id] = cost.total() * ratio if ratio else cost.total(factors)
    return costs, source


def wall_seconds(graph: StageGraph, costs: Mapping[str, float], workers: int) -> float:
    """Wall time with so many workers, each taking the next stage whose parents are done.

    Equal stages (of one artifact) cost once, as they run once.
    """
    ended: dict[str, float] = {}
    artifacts: dict[str, float] = {}
    free = [0.0] * workers
    waiting = [node for node in graph.nodes.values() if node.id in costs]
    while waiting:
        left = {node.id for node in waiting}
        ready = [
            (max((ended.get(parent, 0.0) for parent in node.parents), default=0.0), index)
            for index, node in enumerate(waiting)
            if not left & set(node.parents)
        ]
        worker = min(range(workers), key=lambda number: free[number])
        # The first in order that can start once the worker is free, else the one that can start soonest.
        start, index = next((pair for pair in ready if pair[0] <= free[worker]), min(ready))
        node = waiting.pop(index)
        if node.spec.name not in artifacts:
            free[worker] = artifacts[node.spec.name] = max(start, free[worker]) + costs[node.id]
        ended[node.id] = artifacts[node.spec.name]
    return max(ended.values(), default=0.0)


def measured_rates(graph: StageGraph) -> Rates:
    """What the finished stages of this graph took, against their estimates."""
    done = [node for node in graph.nodes.values() if node.kind in SCALED and graph.store.has(node.spec)]
    taken = [(node, read_seconds(graph.store.path(node.spec))) for node in done]
    recipe = graph.recipe
    return Rates(
        Timed(alike(node, recipe), estimate_seconds(node, recipe), seconds)
        for node, seconds in taken
        if seconds is not None
    )


def alike(node: StageNode, recipe: Recipe) -> list[Likeness]:
    """What a stage is compared with, from the most similar to any."""
    detail = node.evaluation or ""
    if node.kind == "rl":
        arm = recipe.rl[node.arm or ""]
        detail = f"{arm.algorithm} on {arm.problems.set}"
    elif node.kind == "evaluate":
        detail += " of a base" if node.arm is None else " of checkpoints"
    return [(node.kind, node.size or "", detail), (node.kind, node.size or ""), (node.kind,), ()]


def machine_factors(graph: StageGraph, rates: Rates) -> tuple[Cost, str]:
    """(factors on the reference machine's seconds, where they come from); 1 with finished stages."""
    if rates.count:
        stages = "stage" if rates.count == 1 else "stages"
        return Cost(), f"by the times of {rates.count} finished {stages} here"
    size, vocab_size = graph.recipe.sizes[0], graph.recipe.tokenizer.vocab_size
    speed = measure_speed(size, vocab_size, graph.recipe.runtime)
    if speed is None:
        return Cost(), "by the rates of the reference machine, two cores"
    larger = _relative_size(size, vocab_size)
    train, sample = TRAIN_TOKENS_PER_S / larger / speed.train, SAMPLE_TOKENS_PER_S / larger / speed.sample
    rate = f"{speed.train:,.0f} training and {speed.sample:,.0f} sampled tokens/s of {size}"
    return Cost(train=train, sample=sample, prepare=train), f"by {rate}, just timed here"


def estimate_seconds(node: StageNode, recipe: Recipe) -> float:
    """Rough wall time of one stage on the reference machine."""
    return estimate_cost(node, recipe).total()


def estimate_cost(node: StageNode, recipe: Recipe) -> Cost:
    """The same, by what it is spent on."""
    slower = _relative_size(node.size, recipe.tokenizer.vocab_size)
    work = {"shards": _shards, "pretrain": _pretrain, "rl": _rl, "evaluate": _evaluate, "probe": _probe}
    own = work[node.kind](node, recipe) if node.kind in work else Cost(0, 0, 0, 0)
    fixed = FIXED_SECONDS[node.kind] + own.fixed
    return Cost(fixed, own.train * slower, own.sample * slower, own.prepare)


def _relative_size(size: str | None, vocab_size: int) -> float:
    if size is None:
        return 1.0
    reference = num_parameters(preset(REFERENCE_SIZE, vocab_size))
    return max(1.0, num_parameters(preset(size, vocab_size)) / reference) ** 0.8


def _tokens(node: StageNode, recipe: Recipe) -> float:
    mixture = recipe.mixtures[node.mixture or ""]
    if mixture.budget_tokens:
        return mixture.budget_tokens
    sources = mixture.sources.values()
    documents = sum(source.wanted_copies * (source.documents or DEFAULT_DOCUMENTS) for source in sources)
    return documents * TOKENS_PER_DOCUMENT


def _shards(node: StageNode, recipe: Recipe) -> Cost:
    return Cost(0, 0, 0, _tokens(node, recipe) / PACK_TOKENS_PER_S)


def _pretrain(node: StageNode, recipe: Recipe) -> Cost:
    return Cost(0, (recipe.pretrain.tokens or _tokens(node, recipe)) / TRAIN_TOKENS_PER_S, 0, 0)


def _rl(node: StageNode, recipe: Recipe) -> Cost:
    config = recipe.rl[node.arm or ""]
    steps = num_steps(config, config.problems.count)
    completions = steps * config.prompts_per_step * config.samples_per_prompt
    critic = algorithm_row(config.algorithm).critic
    # Without a critic and a KL term in the loss, about half the completions have an advantage of zero.
    passes = config.passes * (2.0 if critic else 1.0 if config.kl.in_loss else 0.5)
    scored = 1 + (config.kl.coef > 0) + critic  # by the policy for the log, by the base, by the critic
    length = min(TOKENS_PER_COMPLETION, config.max_new_tokens)
    tokens = completions * (TOKENS_PER_PROMPT + length) * (passes + scored * FORWARD)
    return Cost(0, tokens / TRAIN_TOKENS_PER_S, completions * length / SAMPLE_TOKENS_PER_S, 0)


def _evaluate(node: StageNode, recipe: Recipe) -> Cost:
    settings = recipe.also_evaluate[node.evaluation] if node.evaluation else recipe.evaluate
    samples = settings.samples.ends + 1
    if node.arm is not None and settings.samples.between:
        arm = recipe.rl[node.arm]
        between = len(checkpoint_steps(arm, arm.problems.count)) - 2  # neither step 0 nor the last
        samples += between * (settings.samples.between + 1)
    completions = len(settings.sets) * settings.count * samples
    length = min(TOKENS_PER_COMPLETION, settings.max_new_tokens)
    return Cost(completions / GRADED_PER_S, 0, completions * length / SAMPLE_TOKENS_PER_S, 0)


def _probe(node: StageNode, recipe: Recipe) -> Cost:
    settings, evaluation = recipe.probe, recipe.evaluate
    assert settings is not None
    variants = len(ProbeConfig.parse(settings.settings(), "probe").forced()) + len(settings.temperatures)
    per_problem = settings.samples * variants + 2 * settings.likelihood_samples
    problems = len(evaluation.sets) * min(evaluation.count, settings.count or evaluation.count)
    tokens = problems * per_problem * min(TOKENS_PER_COMPLETION, evaluation.max_new_tokens)
    return Cost(0, 0, tokens / SAMPLE_TOKENS_PER_S, 0)
