"""What each stage costs on the reference machine, from the recipe alone.

The machine: one process on two cores of a recent x86-64 server, models of nano-0.8m.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..data.source_config import SourceConfig
from ..model.presets import num_parameters, preset
from ..rl.algorithms import algorithm_row
from ..rl.config import checkpoint_steps, num_steps
from ..stages.settings import ProbeConfig
from .given_base import SIZE as GIVEN
from .given_base import size_factor
from .recipe import Recipe
from .stage_graph import StageNode

REFERENCE_SIZE = "nano-0.8m"
TRAIN_TOKENS_PER_S, SAMPLE_TOKENS_PER_S, PACK_TOKENS_PER_S = 24_000.0, 20_000.0, 900_000.0
GRADED_PER_S = 4_000.0
"""Completions graded and written per second of evaluation; RL grades while it samples."""
SIMULATED_PER_S = 10_000.0
"""Completions a second in the simulation of an arm, whatever the model."""
TOKENS_PER_COMPLETION, TOKENS_PER_DOCUMENT, DEFAULT_DOCUMENTS = 70.0, 130.0, 20_000
BYTES_PER_TOKEN, PACKED = 3.5, 3.0
"""Of a data file, names of columns included; and bytes of text in one of a packed file (gzip, Parquet)."""
TOKENS_PER_PROMPT = 10.0
"""Per completion: the completions of one problem share its prompt of about 50 tokens."""
FORWARD = 1 / 3
"""Work of a forward pass, as a share of forward and backward."""
FIXED_SECONDS = {"tokenizer": 3.0, "problems": 2.0, "tokens": 3.0, "shards": 3.0, "base": 2.0,
                 "overlaps": 3.0, "contamination": 1.0,
                 "pretrain": 5.0, "rl": 2.0, "evaluate": 2.0, "forecast": 1.0, "probe": 2.0}  # fmt: skip


class Cost(NamedTuple):
    """Seconds of a stage by what they are spent on, or factors on them."""

    fixed: float = 1.0
    train: float = 1.0
    sample: float = 1.0
    prepare: float = 1.0

    def total(self, factors: Iterable[float] = (1.0, 1.0, 1.0, 1.0)) -> float:
        """The sum, each part times its factor."""
        return sum(seconds * factor for seconds, factor in zip(self, factors, strict=True))


def estimate_seconds(node: StageNode, recipe: Recipe) -> float:
    """Rough wall time of one stage on the reference machine."""
    return estimate_cost(node, recipe).total()


def estimate_cost(node: StageNode, recipe: Recipe) -> Cost:
    """The same, by what it is spent on."""
    slower = (
        max(1.0, size_factor(recipe, REFERENCE_SIZE)) ** 0.8
        if node.size == GIVEN
        else relative_size(node.size, recipe.tokenizer.vocab_size)
    )
    work = {"shards": _shards, "pretrain": _pretrain, "rl": _rl, "evaluate": _evaluate, "probe": _probe}
    work |= {"forecast": _forecast}
    own = work[node.kind](node, recipe) if node.kind in work else Cost(0, 0, 0, 0)
    fixed = FIXED_SECONDS[node.kind] + own.fixed
    return Cost(fixed, own.train * slower, own.sample * slower, own.prepare)


def relative_size(size: str | None, vocab_size: int) -> float:
    """How many times as long a token takes as at the reference size; 1 for stages without a model.

    Below 1 at smaller sizes: on one core nano-0.2m trains 2.5 times as fast as nano-0.8m.
    """
    if size is None:
        return 1.0
    reference = num_parameters(preset(REFERENCE_SIZE, vocab_size))
    return float((num_parameters(preset(size, vocab_size)) / reference) ** 0.8)


def _tokens(node: StageNode, recipe: Recipe) -> float:
    mixture = recipe.mixtures[node.mixture or ""]
    if mixture.budget_tokens:
        return mixture.budget_tokens
    return sum(source.wanted_copies * _tokens_of(source) for source in mixture.sources.values())


def _tokens_of(source: SourceConfig) -> float:
    """Of one copy. Files of one's own are judged by their bytes: they have no default number of documents."""
    from ..data.rows import data_files  # Polars, which a plan without own files does without

    if source.path and not source.documents and Path(source.path).exists():
        return sum(_text_bytes(file) for file in data_files(Path(source.path))) / BYTES_PER_TOKEN
    return (source.documents or DEFAULT_DOCUMENTS) * TOKENS_PER_DOCUMENT


def _text_bytes(file: Path) -> float:
    packed = not file.name.endswith((".json", ".jsonl", ".csv", ".txt"))
    return file.stat().st_size * (PACKED if packed else 1.0)


def _is_index(node: StageNode, recipe: Recipe) -> bool:
    """Whether a mixture holds no ids of its own: all of its sources are real."""
    sources = recipe.mixtures[node.mixture or ""].sources.values()
    return all(source.path or source.hub for source in sources)


def _shards(node: StageNode, recipe: Recipe) -> Cost:
    if _is_index(node, recipe):
        return Cost(0, 0, 0, 0)
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


def evaluated_completions(node: StageNode, recipe: Recipe) -> int:
    """Completions of an evaluation, the greedy ones among them."""
    settings = recipe.also_evaluate[node.evaluation] if node.evaluation else recipe.evaluate
    samples = settings.samples.ends + 1
    if node.arm is not None and settings.samples.between:
        arm = recipe.rl[node.arm]
        between = len(checkpoint_steps(arm, arm.problems.count)) - 2  # neither step 0 nor the last
        samples += between * (settings.samples.between + 1)
    return len(settings.sets) * settings.count * samples


def _evaluate(node: StageNode, recipe: Recipe) -> Cost:
    settings = recipe.also_evaluate[node.evaluation] if node.evaluation else recipe.evaluate
    completions = evaluated_completions(node, recipe)
    length = min(TOKENS_PER_COMPLETION, settings.max_new_tokens)
    return Cost(completions / GRADED_PER_S, 0, completions * length / SAMPLE_TOKENS_PER_S, 0)


def _forecast(node: StageNode, recipe: Recipe) -> Cost:
    arm = recipe.rl[node.arm or ""]
    completions = arm.prompts_per_step * arm.samples_per_prompt * arm.passes
    steps = num_steps(arm, arm.problems.count)
    return Cost(fixed=recipe.forecast.runs * steps * completions / SIMULATED_PER_S)


def _probe(node: StageNode, recipe: Recipe) -> Cost:
    settings, evaluation = recipe.probe, recipe.evaluate
    assert settings is not None
    variants = len(ProbeConfig.parse(settings.settings(), "probe").forced()) + len(settings.temperatures)
    per_problem = settings.samples * variants + 2 * settings.likelihood_samples
    problems = len(evaluation.sets) * min(evaluation.count, settings.count or evaluation.count)
    tokens = problems * per_problem * min(TOKENS_PER_COMPLETION, evaluation.max_new_tokens)
    return Cost(0, 0, tokens / SAMPLE_TOKENS_PER_S, 0)


STATE_COPIES = 4
"""Sizes of a model that resume state takes at most: weights, two moments, and the older state beside it."""
STATE_SIZES = 3
"""Of one more state that is kept."""
BYTES_PER_TOKEN = 6
"""Of shards: ids in the shard and in the spool that they are packed from."""


def stage_bytes(node: StageNode, recipe: Recipe) -> int:
    """Approximate bytes on disk that a stage takes while it runs; 0 where its size is not known before."""
    if node.kind == "shards":
        if _is_index(node, recipe):
            return 0
        return round(BYTES_PER_TOKEN * _tokens(node, recipe))
    if node.size is None or node.kind not in ("base", "pretrain", "rl"):
        return 0
    reference = 4 * num_parameters(preset(REFERENCE_SIZE, recipe.tokenizer.vocab_size))
    if node.size == GIVEN:
        checkpoint = round(reference * size_factor(recipe, REFERENCE_SIZE))
    else:
        checkpoint = 4 * num_parameters(preset(node.size, recipe.tokenizer.vocab_size))
    if node.kind == "base":
        return checkpoint
    copies = STATE_COPIES + STATE_SIZES * (recipe.resume.keep_last - 1)
    if node.kind == "pretrain":
        kept = recipe.pretrain.checkpoints + len(recipe.pretrain.keep_steps)
    else:
        config = recipe.rl[node.arm or ""]
        critic = algorithm_row(config.algorithm).critic
        kept = len(checkpoint_steps(config, config.problems.count))
        copies *= 2 if critic else 1
    half = recipe.runtime.checkpoint_dtype == "bfloat16"
    return round(checkpoint * (kept * (0.5 if half else 1.0) + copies))
