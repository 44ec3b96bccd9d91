"""`--dry-run`: the graph, what is done of it, and the price of what is not.

A stage's price has four parts: a fixed one (grading is in it), tokens trained on, tokens sampled, and documents prepared.
Where stages of this folder are finished, their times correct the prices of those like them; where none
is, a few seconds of training and sampling on this machine do. So the constants below, which are of the
nano-0.8m preset in one process on two cores of a recent x86-64 server CPU, only matter in proportion
to each other, and need no measuring anew when the engine or the machine changes. Stages that ran beside
others count as slow as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import Store
from ..model.presets import num_parameters, preset
from ..rl.algorithms import algorithm_row
from ..rl.config import checkpoint_steps, num_steps
from ..stages.probe import ProbeConfig
from .graph import build_graph
from .rates import Group, Rates, Timed, measure_speed
from .recipe import Recipe
from .stage_graph import StageGraph, StageNode
from .status import read_seconds

REFERENCE_SIZE = "nano-0.8m"
TRAIN_TOKENS_PER_S = 24_000.0
SAMPLE_TOKENS_PER_S = 20_000.0
PACK_TOKENS_PER_S = 900_000.0
TOKENS_PER_COMPLETION = 70.0
TOKENS_PER_PROMPT = 10.0
"""Per completion: those of one problem share their prompt's 50 tokens in a row."""
FORWARD = 1 / 3
"""Work of a forward pass, in passes forward and backward."""
GRADED_PER_S = 4_000.0
"""Completions executed, described and written down, in evaluation; RL grades while it samples."""
FIXED_SECONDS = {
    "tokenizer": 3.0,
    "problems": 2.0,
    "shards": 3.0,
    "pretrain": 5.0,
    "rl": 2.0,
    "evaluate": 2.0,
    "probe": 2.0,
}
TOKENS_PER_DOCUMENT = 130.0
DEFAULT_DOCUMENTS = 20_000
TIMED = ("shards", "pretrain", "rl", "evaluate", "probe")
"""Kinds whose time grows with their work; the others take seconds."""


def describe_plan(recipe: Recipe, out: Path, workers: int = 1) -> str:
    """One line per stage: done (with its time) or to do (with an estimate), then the time that all will take."""
    graph = build_graph(recipe, Store(out / "artifacts"))
    scope = f", scope {recipe.scope}" if recipe.scope else ""
    lines = [f"{recipe.name}{scope}: {len(graph.nodes)} stages in {out}"]
    prices, source = price_stages(graph)
    for node in graph.nodes.values():
        if node.id not in prices:
            seconds = read_seconds(graph.store.path(node.spec))
            state = "done" + (f" in {seconds:.0f} s" if seconds is not None else "")
        else:
            state = f"to do, about {prices[node.id]:.0f} s" + (
                " (started)" if graph.store.partial(node.spec).is_dir() else ""
            )
        lines.append(f"  {node.id:52} {node.spec.fingerprint}  {state}")
    minutes = pool_seconds(graph, prices, workers) / 60
    how = "one stage at a time" if workers == 1 else f"{workers} stages at a time"
    return "\n".join([*lines, f"estimated time to go: {minutes:.1f} minutes, {how} ({source})"])


def price_stages(graph: StageGraph) -> tuple[dict[str, float], str]:
    """(node id -> estimated seconds of every stage to do, where the rates come from)."""
    recipe, rates = graph.recipe, measured_rates(graph)
    to_do = [node for node in graph.nodes.values() if not graph.store.has(node.spec)]
    slower, source = machine_speed(graph, rates) if to_do else (Parts(), "nothing is to do")
    prices: dict[str, float] = {}
    for node in to_do:
        parts, ratio = estimate_parts(node, recipe), rates.ratio(groups_of(node, recipe))
        prices[node.id] = parts.total() * ratio if ratio else parts.total(slower)
    return prices, source


def pool_seconds(graph: StageGraph, prices: Mapping[str, float], workers: int) -> float:
    """Wall time of these stages in a pool that starts each as soon as its parents are done and a place is free.

    Equal stages (of one artifact) are priced once, as they are run once.
    """
    ended: dict[str, float] = {}
    free = [0.0] * workers
    artifacts: dict[str, float] = {}
    waiting = [node for node in graph.nodes.values() if node.id in prices]
    while waiting:
        left = {node.id for node in waiting}
        ready = [
            (max((ended.get(p, 0.0) for p in node.parents), default=0.0), i)
            for i, node in enumerate(waiting)
            if not left & set(node.parents)
        ]
        place = min(range(workers), key=lambda i: free[i])
        # The first in order among those that can start by the time the place is free, else the one that can start soonest.
        start, index = next((pair for pair in ready if pair[0] <= free[place]), min(ready))
        node = waiting.pop(index)
        if node.spec.name in artifacts:
            ended[node.id] = artifacts[node.spec.name]
            continue
        free[place] = ended[node.id] = artifacts[node.spec.name] = max(start, free[place]) + prices[node.id]
    return max(ended.values(), default=0.0)


def measured_rates(graph: StageGraph) -> Rates:
    """What the finished stages of this graph took against their estimates."""
    done = [node for node in graph.nodes.values() if graph.store.has(node.spec)]
    taken = [(node, read_seconds(graph.store.path(node.spec))) for node in done]
    return Rates(
        Timed(groups_of(node, graph.recipe), estimate_seconds(node, graph.recipe), seconds)
        for node, seconds in taken
        if seconds is not None and node.kind in TIMED
    )


def groups_of(node: StageNode, recipe: Recipe) -> list[Group]:
    """What a stage is compared with, from the most like it to any."""
    detail = node.evaluation or ""
    if node.kind == "rl":
        arm = recipe.rl[node.arm or ""]
        detail = f"{arm.algorithm} on {arm.problems.set}"
    elif node.kind == "evaluate":
        detail += " of a base" if node.arm is None else " of checkpoints"
    return [(node.kind, node.size or "", detail), (node.kind, node.size or ""), (node.kind,), ()]


@dataclass(frozen=True)
class Parts:
    """Seconds of a stage by what they are spent on, or factors on them."""

    fixed: float = 1.0
    train: float = 1.0
    sample: float = 1.0
    prepare: float = 1.0

    def total(self, slower: "Parts | None" = None) -> float:
        """The sum, each part times a factor where factors are given."""
        by = slower or Parts()
        return (
            self.fixed * by.fixed
            + self.train * by.train
            + self.sample * by.sample
            + self.prepare * by.prepare
        )


def machine_speed(graph: StageGraph, rates: Rates) -> tuple[Parts, str]:
    """(seconds here per second of the reference where no finished stage says it, where that comes from)."""
    if rates.count:
        return (
            Parts(),
            f"by the times of {rates.count} finished {'stage' if rates.count == 1 else 'stages'} here",
        )
    recipe = graph.recipe
    speed = measure_speed(recipe.sizes[0], recipe.tokenizer.vocab_size, recipe.runtime)
    if speed is None:
        return Parts(), "by the rates of the reference machine, two cores"
    larger = _relative_size(recipe.sizes[0], recipe.tokenizer.vocab_size)
    train, sample = TRAIN_TOKENS_PER_S / larger / speed.train, SAMPLE_TOKENS_PER_S / larger / speed.sample
    source = f"by {speed.train:,.0f} training and {speed.sample:,.0f} sampled tokens/s of {recipe.sizes[0]}, just timed here"
    return Parts(train=train, sample=sample, prepare=train), source


def estimate_seconds(node: StageNode, recipe: Recipe) -> float:
    """Rough wall time of one stage on the reference machine."""
    return estimate_parts(node, recipe).total()


def estimate_parts(node: StageNode, recipe: Recipe) -> Parts:
    """The same by what it is spent on."""
    slower = _relative_size(node.size, recipe.tokenizer.vocab_size)
    work = {"shards": _shards, "pretrain": _pretrain, "rl": _rl, "evaluate": _evaluate, "probe": _probe}
    found = work[node.kind](node, recipe) if node.kind in work else Parts(0, 0, 0, 0)
    return Parts(
        FIXED_SECONDS[node.kind] + found.fixed, found.train * slower, found.sample * slower, found.prepare
    )


def _relative_size(size: str | None, vocab_size: int) -> float:
    if size is None:
        return 1.0
    reference = num_parameters(preset(REFERENCE_SIZE, vocab_size))
    return max(1.0, num_parameters(preset(size, vocab_size)) / reference) ** 0.8


def _tokens(node: StageNode, recipe: Recipe) -> float:
    mixture = recipe.mixtures[node.mixture or ""]
    if mixture.budget_tokens:
        return mixture.budget_tokens
    copies = [
        (source.wanted_copies, source.documents or DEFAULT_DOCUMENTS) for source in mixture.sources.values()
    ]
    return sum(number * documents for number, documents in copies) * TOKENS_PER_DOCUMENT


def _shards(node: StageNode, recipe: Recipe) -> Parts:
    return Parts(0, 0, 0, _tokens(node, recipe) / PACK_TOKENS_PER_S)


def _pretrain(node: StageNode, recipe: Recipe) -> Parts:
    return Parts(0, (recipe.pretrain.tokens or _tokens(node, recipe)) / TRAIN_TOKENS_PER_S, 0, 0)


def _rl(node: StageNode, recipe: Recipe) -> Parts:
    config = recipe.rl[node.arm or ""]
    completions = (
        num_steps(config, config.problems.count) * config.prompts_per_step * config.samples_per_prompt
    )
    row = algorithm_row(config.algorithm)
    critic = row.critic
    # Where neither a critic nor a term of the loss needs every completion, about half of them carry signal.
    fits = config.passes * (2.0 if critic else 1.0 if config.kl.in_loss or row.loss_terms else 0.5)
    asked = 1 + (config.kl.coef > 0) + critic  # the policy for the log, the base, the values
    length = min(TOKENS_PER_COMPLETION, config.max_new_tokens)
    tokens = completions * (TOKENS_PER_PROMPT + length) * (fits + asked * FORWARD)
    return Parts(0, tokens / TRAIN_TOKENS_PER_S, completions * length / SAMPLE_TOKENS_PER_S, 0)


def _evaluate(node: StageNode, recipe: Recipe) -> Parts:
    settings = recipe.also_evaluate[node.evaluation] if node.evaluation else recipe.evaluate
    samples = settings.samples.ends + 1
    if node.arm is not None and settings.samples.between:
        arm = recipe.rl[node.arm]
        between = len(checkpoint_steps(arm, arm.problems.count)) - 2  # neither step 0 nor the last
        samples += between * (settings.samples.between + 1)
    completions = len(settings.sets) * settings.count * samples
    return Parts(
        completions / GRADED_PER_S,
        0,
        completions * min(TOKENS_PER_COMPLETION, settings.max_new_tokens) / SAMPLE_TOKENS_PER_S,
        0,
    )


def _probe(node: StageNode, recipe: Recipe) -> Parts:
    assert recipe.probe is not None
    formats = len(ProbeConfig(**recipe.probe.settings()).forced())
    per_problem = (
        recipe.probe.samples * (formats + len(recipe.probe.temperatures))
        + 2 * recipe.probe.likelihood_samples
    )
    problems = len(recipe.evaluate.sets) * min(
        recipe.evaluate.count, recipe.probe.count or recipe.evaluate.count
    )
    tokens = problems * per_problem * min(TOKENS_PER_COMPLETION, recipe.evaluate.max_new_tokens)
    return Parts(0, 0, tokens / SAMPLE_TOKENS_PER_S, 0)
