"""What a study on published data sets takes on GPUs: tokens, disk, memory and GPU-hours.

Nothing is read for it. Token counts are published ones, or assumed from rows and mean lengths. Rates are
assumed but for one that a replication measured. Each line says which. This project measured none of them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ..data.source_config import MixtureConfig
from ..model.presets import SIZES, flops_per_token, preset
from ..rl.config import num_steps
from .recipe import Recipe
from .stage_estimates import evaluated_completions, stage_bytes
from .stage_graph import StageGraph, StageNode


class Published(NamedTuple):
    """Tokens of a data set with Llama-2's tokenizer."""

    tokens: float
    label: str


_REP = "published (DanielHuangjiakang/openrlhf-pretrain, Llama-2 tokenizer)"
_CARD = "assumed: rows on the card x mean length of sample rows, 3 letters a token"
PUBLISHED = {
    "finemath3plus": Published(41.4e9, _REP),
    "algebraic-stack": Published(12.2e9, _REP),
    "tinygsm": Published(2.665e9, _REP),
    "openmathinstruct1": Published(1.8e6 * 194, _CARD),
    "openmathinstruct2": Published(13.97e6 * 456, _CARD),
    "metamathqa": Published(395e3 * 214, _CARD),
    "gsm8k": Published(3.9e6 / 3, "assumed: letters of the training set, 3 a token"),
    "math": Published(5.7e6 / 3, "assumed: letters of the training set, 3 a token"),
}
"""Data set of the hub -> its tokens."""


class Device(NamedTuple):
    """A GPU, as its maker describes it."""

    name: str
    peak: float
    """Dense bf16 FLOP/s."""
    memory: float
    """Bytes."""


DEVICES = (Device("RTX 4090", 165e12, 24e9), Device("H100 SXM", 989e12, 80e9))
UTILISATION = 0.40
"""Share of the peak in pretraining: assumed, the goal of the self-check."""
ROLLOUT_SECONDS, ROLLOUT_COMPLETIONS = 41.4, 512
"""One GRPO step at 150M on one RTX 4090: measured by that replication (116 steps in 1 h 20 min)."""
SAMPLING_SHARE = 0.5
"""Of a GRPO step: assumed. Evaluation samples only."""
_RATE_SIZE = "paper-150m"
_WORDS = (
    f"pretraining at {UTILISATION:.0%} of the bf16 peak (assumed)",
    f"RL by {ROLLOUT_SECONDS:.0f} s for {ROLLOUT_COMPLETIONS} completions at 150M on an RTX 4090 "
    "(measured by the replication), scaled by FLOPs a token and peak (assumed)",
    f"evaluation at {SAMPLING_SHARE:.0%} of that a completion (assumed)",
)


def mixture_tokens(mixture: MixtureConfig) -> float | None:
    """Tokens of a mixture, where those of all its sources are known."""
    if mixture.budget_tokens is not None and all(one.share is not None for one in mixture.sources.values()):
        return float(mixture.budget_tokens)
    total = 0.0
    for source in mixture.sources.values():
        if source.hub not in PUBLISHED or source.share is not None or source.documents is not None:
            return None
        total += source.wanted_copies * PUBLISHED[source.hub].tokens
    return total


def price_lines(graph: StageGraph) -> list[str]:
    """The table; empty where a mixture has sources of unknown size, or a size is no named one."""
    recipe = graph.recipe
    tokens = {name: mixture_tokens(mixture) for name, mixture in recipe.mixtures.items()}
    known = {name: count for name, count in tokens.items() if count is not None}
    if len(known) < len(tokens) or not any(node.size in SIZES for node in graph.nodes.values()):
        return []
    return [
        "prices (nothing of this was run on a GPU by this project):",
        *_token_lines(recipe, known),
        *_disk_lines(graph),
        *_memory_lines(recipe),
        *_hour_lines(graph, known),
    ]


def _token_lines(recipe: Recipe, tokens: dict[str, float]) -> list[str]:
    sources = {one.hub for mixture in recipe.mixtures.values() for one in mixture.sources.values() if one.hub}
    lines = [
        f"  {name:20} {PUBLISHED[name].tokens / 1e9:8.3f} B tokens  {PUBLISHED[name].label}"
        for name in sorted(sources)
    ]
    for name, count in tokens.items():
        trained = recipe.pretrain.tokens or count
        batch = recipe.pretrain.batch_tokens
        lines.append(
            f"  {name:20} {count / 1e9:8.3f} B tokens  {trained / batch:,.0f} steps of {batch:,} tokens"
        )
    return lines


def _disk_lines(graph: StageGraph) -> list[str]:
    """Token ids once for each source, and what the stages that train keep."""
    recipe = graph.recipe
    cell = 2 if recipe.tokenizer.vocab_size <= 1 << 16 else 4
    sources = {one.hub for mixture in recipe.mixtures.values() for one in mixture.sources.values() if one.hub}
    ids = cell * sum(PUBLISHED[name].tokens for name in sources)
    kept = sum(stage_bytes(node, recipe) for node in graph.nodes.values() if node.kind in ("pretrain", "rl"))
    return [f"  disk: {ids / 1e9:,.0f} GB of token ids, {kept / 1e9:,.0f} GB of checkpoints and resume state"]


def _memory_lines(recipe: Recipe) -> list[str]:
    """The estimate of one pretraining pass on one device, without split weights."""
    from ..model.training_memory import TrainingShape, training_estimate  # with torch

    how = recipe.pretrain
    rows = max(1, (how.microbatch_tokens or how.batch_tokens) // how.sequence_length)
    lines = []
    for size in recipe.sizes:
        config = preset(size, recipe.tokenizer.vocab_size, how.max_positions)
        shapes = [
            TrainingShape(rows, how.sequence_length, low_memory=True, checkpoint_blocks=blocks)
            for blocks in (False, True)
        ]
        gigabytes = [training_estimate(config, shape) / 1e9 for shape in shapes]
        lines.append(
            f"  memory of {size} at {rows} x {how.sequence_length} in bf16, low_memory: "
            f"{gigabytes[0]:.1f} GB, with checkpoint_blocks {gigabytes[1]:.1f} GB "
            "(estimated from shapes, before splitting)"
        )
    return lines


def _hour_lines(graph: StageGraph, tokens: dict[str, float]) -> list[str]:
    lines = []
    for device in DEVICES:
        hours = {
            kind: sum(_hours(node, graph.recipe, tokens, device) for node in _of_kind(graph, kind))
            for kind in ("pretrain", "rl", "evaluate")
        }
        parts = ", ".join(f"{kind} {value:,.0f}" for kind, value in hours.items())
        lines.append(f"  GPU-hours on {device.name}: {sum(hours.values()):,.0f} ({parts})")
    return [*lines, f"  rates: {'; '.join(_WORDS)}"]


def _of_kind(graph: StageGraph, kind: str) -> Iterable[StageNode]:
    """Stages of a kind, those of one artifact once."""
    return {node.spec.name: node for node in graph.nodes.values() if node.kind == kind}.values()


def _hours(node: StageNode, recipe: Recipe, tokens: dict[str, float], device: Device) -> float:
    length = recipe.pretrain.sequence_length
    work = flops_per_token(preset(str(node.size), recipe.tokenizer.vocab_size), length)
    if node.kind == "pretrain":
        trained = recipe.pretrain.tokens or tokens[node.mixture or ""]
        return trained * work / (UTILISATION * device.peak) / 3600
    reference = flops_per_token(preset(_RATE_SIZE, recipe.tokenizer.vocab_size), length)
    completion = ROLLOUT_SECONDS / ROLLOUT_COMPLETIONS * (work / reference) * (DEVICES[0].peak / device.peak)
    if node.kind == "rl":
        arm = recipe.rl[node.arm or ""]
        steps = num_steps(arm, arm.problems.count)
        return steps * arm.prompts_per_step * arm.samples_per_prompt * completion / 3600
    return evaluated_completions(node, recipe) * SAMPLING_SHARE * completion / 3600
