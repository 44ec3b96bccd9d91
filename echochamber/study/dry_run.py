"""`--dry-run`: the graph, what is done of it, and a rough price of what is not.

Rates are those of the nano-0.8m preset on two cores of a recent x86-64 server CPU with bf16 units,
scaled by parameters; on another machine read them as ratios between stages. What has run before in
the same folder is quoted with its own time.
"""

from pathlib import Path

from ..core.artifacts import Store
from ..model.presets import num_parameters, preset
from ..stages.probe import ProbeConfig
from ..stages.rl_config import num_steps
from .graph import Graph, Node
from .recipe import Recipe
from .status import read_seconds

REFERENCE_SIZE = "nano-0.8m"
TRAIN_TOKENS_PER_S = 24_000.0
SAMPLE_TOKENS_PER_S = 20_000.0
PACK_TOKENS_PER_S = 300_000.0
TOKENS_PER_COMPLETION = 60.0
TOKENS_PER_PROMPT = 50.0
FIXED_SECONDS = {"tokenizer": 3.0, "problems": 2.0, "shards": 3.0, "pretrain": 20.0, "rl": 2.0, "evaluate": 2.0, "probe": 2.0}
DEFAULT_TOKENS = 4_000_000


def describe_plan(recipe: Recipe, out: Path) -> str:
    """One line per stage: done (with its time) or to do (with an estimate), then the sum."""
    graph = Graph(recipe, Store(out / "artifacts"))
    lines, to_do = [f"{recipe.name}: {len(graph.nodes)} stages in {out}"], 0.0
    for node in graph.nodes.values():
        if graph.store.has(node.spec):
            seconds = read_seconds(graph.store.path(node.spec))
            state = "done" + (f" in {seconds:.0f} s" if seconds is not None else "")
        else:
            estimate = estimate_seconds(node, recipe)
            to_do += estimate
            state = f"to do, about {estimate:.0f} s" + (" (started)" if graph.store.partial(node.spec).is_dir() else "")
        lines.append(f"  {node.id:52} {node.spec.fingerprint}  {state}")
    return "\n".join([*lines, f"estimated time to go: {to_do / 60:.1f} minutes on two cores, one stage at a time"])


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
    return recipe.mixtures[node.mixture or ""].budget_tokens or DEFAULT_TOKENS


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
    settings = recipe.evaluate
    samples = settings.samples.ends + 1
    if node.arm is not None:
        samples += (recipe.rl[node.arm].checkpoints.count - 1) * (settings.samples.between + 1)
    return len(settings.sets) * settings.count * samples * TOKENS_PER_COMPLETION / SAMPLE_TOKENS_PER_S


def _probe(node: Node, recipe: Recipe) -> float:
    assert recipe.probe is not None
    formats = len(ProbeConfig(**dict(recipe.probe)).forced())
    per_problem = recipe.probe.samples * (formats + len(recipe.probe.temperatures)) + 2 * recipe.probe.likelihood_samples
    problems = len(recipe.evaluate.sets) * min(recipe.evaluate.count, recipe.probe.count or recipe.evaluate.count)
    return problems * per_problem * TOKENS_PER_COMPLETION / SAMPLE_TOKENS_PER_S
