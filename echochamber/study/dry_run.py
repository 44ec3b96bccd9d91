"""`--dry-run`: the graph, what is done of it, and the price of what is not.

The constants are rates of the nano-0.8m preset on two cores of a recent x86-64 server CPU with bf16
units, scaled by parameters. They are corrected by what stages in the same folder took; in a folder
without finished stages by a few timed training steps. Stages that ran beside others count as slow
as they were.
"""

from pathlib import Path

from ..core.artifacts import Store
from ..model.presets import num_parameters, preset
from ..stages.probe import ProbeConfig
from ..stages.rl_config import checkpoint_steps, num_steps
from .graph import Graph, Node
from .rates import Group, Rates, Timed, train_tokens_per_s
from .recipe import Recipe
from .status import read_seconds

REFERENCE_SIZE = "nano-0.8m"
TRAIN_TOKENS_PER_S = 24_000.0
SAMPLE_TOKENS_PER_S = 20_000.0
PACK_TOKENS_PER_S = 300_000.0
TOKENS_PER_COMPLETION = 60.0
TOKENS_PER_PROMPT = 50.0
FIXED_SECONDS = {"tokenizer": 3.0, "problems": 2.0, "shards": 3.0, "surface": 2.0, "pretrain": 20.0, "rl": 2.0, "evaluate": 2.0, "probe": 2.0}
TOKENS_PER_DOCUMENT = 110.0
DEFAULT_DOCUMENTS = 20_000
TIMED = ("shards", "pretrain", "rl", "evaluate", "probe")
"""Kinds whose time grows with their work; the others take seconds."""


def describe_plan(recipe: Recipe, out: Path) -> str:
    """One line per stage: done (with its time) or to do (with an estimate), then the sum."""
    graph = Graph(recipe, Store(out / "artifacts"))
    scope = f", scope {recipe.scope}" if recipe.scope else ""
    lines, to_do = [f"{recipe.name}{scope}: {len(graph.nodes)} stages in {out}"], 0.0
    rates = measured_rates(graph)
    speed, source = machine_speed(graph, rates)
    for node in graph.nodes.values():
        if graph.store.has(node.spec):
            seconds = read_seconds(graph.store.path(node.spec))
            state = "done" + (f" in {seconds:.0f} s" if seconds is not None else "")
        else:
            estimate = estimate_seconds(node, recipe) * (rates.ratio(groups_of(node, recipe)) or speed)
            to_do += estimate
            state = f"to do, about {estimate:.0f} s" + (" (started)" if graph.store.partial(node.spec).is_dir() else "")
        lines.append(f"  {node.id:52} {node.spec.fingerprint}  {state}")
    return "\n".join([*lines, f"estimated time to go: {to_do / 60:.1f} minutes, one stage at a time ({source})"])


def measured_rates(graph: Graph) -> Rates:
    """What the finished stages of this graph took against their estimates."""
    done = [node for node in graph.nodes.values() if graph.store.has(node.spec)]
    taken = [(node, read_seconds(graph.store.path(node.spec))) for node in done]
    return Rates(
        Timed(groups_of(node, graph.recipe), estimate_seconds(node, graph.recipe), seconds)
        for node, seconds in taken
        if seconds is not None and node.kind in TIMED
    )


def groups_of(node: Node, recipe: Recipe) -> list[Group]:
    """What a stage is compared with, from the most like it to any."""
    detail = node.evaluation or ""
    if node.kind == "rl":
        arm = recipe.rl[node.arm or ""]
        detail = f"{arm.algorithm} on {arm.problems.set}"
    elif node.kind == "evaluate":
        detail += " of a base" if node.arm is None else " of checkpoints"
    return [(node.kind, node.size or "", detail), (node.kind, node.size or ""), (node.kind,), ()]


def machine_speed(graph: Graph, rates: Rates) -> tuple[float, str]:
    """(seconds here per second of the reference where no finished stage says it, where that comes from)."""
    if rates.count:
        return 1.0, f"by the times of {rates.count} finished {'stage' if rates.count == 1 else 'stages'} here"
    recipe = graph.recipe
    rate = train_tokens_per_s(recipe.sizes[0], recipe.tokenizer.vocab_size, recipe.runtime)
    if rate is None:
        return 1.0, "by the rates of the reference machine, two cores"
    wanted = TRAIN_TOKENS_PER_S / _relative_size(recipe.sizes[0], recipe.tokenizer.vocab_size)
    return wanted / rate, f"by {rate:,.0f} training tokens/s of {recipe.sizes[0]}, just timed here"


def estimate_seconds(node: Node, recipe: Recipe) -> float:
    """Rough wall time of one stage on the reference machine."""
    slower = _relative_size(node.size, recipe.tokenizer.vocab_size)
    work = {"shards": _shards, "pretrain": _pretrain, "rl": _rl, "evaluate": _evaluate, "probe": _probe}
    variable = work[node.kind](node, recipe) if node.kind in work else 0.0
    return FIXED_SECONDS[node.kind] + variable * slower


def _relative_size(size: str | None, vocab_size: int) -> float:
    if size is None:
        return 1.0
    reference = num_parameters(preset(REFERENCE_SIZE, vocab_size))
    return max(1.0, num_parameters(preset(size, vocab_size)) / reference) ** 0.8


def _tokens(node: Node, recipe: Recipe) -> float:
    mixture = recipe.mixtures[node.mixture or ""]
    if mixture.budget_tokens:
        return mixture.budget_tokens
    copies = [(source.wanted_copies, source.documents or DEFAULT_DOCUMENTS) for source in mixture.sources.values()]
    return sum(number * documents for number, documents in copies) * TOKENS_PER_DOCUMENT


def _shards(node: Node, recipe: Recipe) -> float:
    return _tokens(node, recipe) / PACK_TOKENS_PER_S


def _pretrain(node: Node, recipe: Recipe) -> float:
    return (recipe.pretrain.tokens or _tokens(node, recipe)) / TRAIN_TOKENS_PER_S


def _rl(node: Node, recipe: Recipe) -> float:
    config = recipe.rl[node.arm or ""]
    completions = num_steps(config, config.problems.count) * config.prompts_per_step * config.samples_per_prompt
    fit = (TOKENS_PER_PROMPT + TOKENS_PER_COMPLETION) / TRAIN_TOKENS_PER_S / 2  # half the groups carry no signal
    return completions * (TOKENS_PER_COMPLETION / SAMPLE_TOKENS_PER_S + fit)


def _evaluate(node: Node, recipe: Recipe) -> float:
    settings = recipe.also_evaluate[node.evaluation] if node.evaluation else recipe.evaluate
    samples = settings.samples.ends + 1
    if node.arm is not None and settings.samples.between:
        arm = recipe.rl[node.arm]
        between = len(checkpoint_steps(arm, arm.problems.count)) - 2  # neither step 0 nor the last
        samples += between * (settings.samples.between + 1)
    return len(settings.sets) * settings.count * samples * TOKENS_PER_COMPLETION / SAMPLE_TOKENS_PER_S


def _probe(node: Node, recipe: Recipe) -> float:
    assert recipe.probe is not None
    formats = len(ProbeConfig(**dict(recipe.probe)).forced())
    per_problem = recipe.probe.samples * (formats + len(recipe.probe.temperatures)) + 2 * recipe.probe.likelihood_samples
    problems = len(recipe.evaluate.sets) * min(recipe.evaluate.count, recipe.probe.count or recipe.evaluate.count)
    return problems * per_problem * TOKENS_PER_COMPLETION / SAMPLE_TOKENS_PER_S
