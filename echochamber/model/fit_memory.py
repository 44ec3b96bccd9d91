"""Batch sizes that fit this machine's memory: asked for in the config, made smaller where memory is short.

The estimates are upper bounds from the shapes of what is kept alive, not measurements; a batch that
they call too large is made smaller instead of ending the process half-way.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..core.files import read_json, write_json
from ..core.progress import say
from .config import ModelConfig
from .decoder import Decoder
from .native.library import cells_per_word
from .presets import num_parameters
from .ranks import Ranks
from .runtime import Runtime
from .settings import SamplingConfig
from .training_memory import TrainingShape, rl_training_estimate, training_estimate
from .transformer import Transformer

SHARE = 0.8
"""Of the memory that is free; the rest is for what nobody counted."""
_FLOAT = 4
RECORD = "fallback.json"
"""Sizes that were made smaller than asked, inside the artifact, so that a resumed run keeps them."""


def sampling_that_fits(
    sampling: SamplingConfig,
    model: ModelConfig,
    prompts: Sequence[Sequence[int]],
    folder: Path,
    runtime: Runtime,
) -> SamplingConfig:
    """`sampling` with as many rows at once as fit beside the longest prompt.

    A size smaller than asked is recorded in `folder`.
    """
    longest = max((len(ids) for ids in prompts), default=0)

    def fits() -> float:
        return fitting_rows(model, longest, sampling.max_new_tokens, free_bytes(runtime.device))

    rows = settle(folder, "max_rows", sampling.max_rows, 1, fits, runtime.ranks)
    return sampling.model_copy(update={"max_rows": rows})


def tokens_that_fit(
    asked: int, width: int, decoder: Decoder, folder: Path, runtime: Runtime, critic: bool = False
) -> int:
    """Tokens of one forward and backward pass, in rows of `width`: what was asked, or what fits.

    `critic`: beside the policy a base and a critic with a trunk of its own take part.
    """
    model, threads = decoder.config, runtime.threads if decoder.native else 0

    def fits() -> float:
        free = free_bytes(runtime.device)
        if threads or not isinstance(decoder, Transformer):
            return fitting_tokens(model, free, threads)
        shape = TrainingShape(1, width, runtime.dtype, decoder.low_memory, decoder.checkpoint_blocks)
        return fitting_in_torch(model, free, shape, critic)

    return settle(folder, "microbatch_tokens", asked, width, fits, runtime.ranks)


def free_bytes(device: torch.device) -> float:
    """Bytes this process can still take; infinity where nobody says."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    found = [_meminfo_available(Path("/proc/meminfo")), _cgroup_left(Path("/sys/fs/cgroup"))]
    return min((value for value in found if value is not None), default=float("inf"))


def _meminfo_available(path: Path) -> float | None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _cgroup_left(folder: Path) -> float | None:
    """What a container's limit leaves; its page cache is counted as used, so this is on the careful side."""
    limit, used = folder / "memory.max", folder / "memory.current"
    if not (limit.is_file() and used.is_file()) or limit.read_text().strip() == "max":
        return None
    return max(0.0, float(limit.read_text()) - float(used.read_text()))


def row_bytes(config: ModelConfig, prompt_tokens: int, new_tokens: int) -> int:
    """Bytes that sampling needs for one completion.

    2·L·D_kv·(S + N) of cache, 8·V of distribution and 3·H·(S + N) of attention, in float32.

    A prompt's cache is shared by its samples, but packing may leave a copy with every completion.
    The prompt's own pass is counted as eight states and two feed-forward widths per token.
    """
    length, width = prompt_tokens + new_tokens, max(config.hidden_size, config.query_width)
    cache = 2 * config.num_layers * config.kv_width * length
    step = 8 * config.vocab_size + 3 * config.num_heads * length + 8 * width + 4 * config.intermediate_size
    prefill = prompt_tokens * (8 * width + 2 * config.intermediate_size + 2 * prompt_tokens)
    return _FLOAT * (cache + step + prefill + 4 * new_tokens)


def token_bytes(config: ModelConfig, native: bool = False) -> int:
    """Bytes that training needs for one token.

    L·(16·D + 6·F) of activations and 4·V of logits, their loss and gradient, in float32.

    The engine in C keeps no logits. It keeps (2·L + 1)·D of states and L·H of log-sums in float32,
    and L·(W + A + 2·F) cells in bf16 or float32, A = heads x head size, W = A + 2·D_kv. Hidden states
    and their gradients count as 4·D. Where A is larger than D, it stands for D in the activations.
    """
    if native:
        cells = 2 * config.query_width + 2 * config.kv_width + 2 * config.intermediate_size
        return (
            _FLOAT * ((2 * config.num_layers + 5) * config.hidden_size + config.num_layers * config.num_heads)
            + _FLOAT // cells_per_word() * config.num_layers * cells
        )
    width = max(config.hidden_size, config.query_width)
    return _FLOAT * (config.num_layers * (16 * width + 6 * config.intermediate_size) + 4 * config.vocab_size)


def fitting_rows(config: ModelConfig, prompt_tokens: int, new_tokens: int, free: float) -> float:
    """Completions that can run at once."""
    return free * SHARE / row_bytes(config, prompt_tokens, new_tokens)


def fitting_tokens(config: ModelConfig, free: float, native_threads: int = 0) -> float:
    """Tokens of one forward and backward pass, once gradients, optimizer state and working copies are there.

    `native_threads`: of the engine in C, 0 without it. Each has gradients of its own, and the weights
    are kept twice more, packed and to compare with.
    """
    copies = 4 + (native_threads + 3 if native_threads else 0)
    return max(0.0, free * SHARE - copies * _FLOAT * num_parameters(config)) / token_bytes(
        config, native_threads > 0
    )


def fitting_in_torch(config: ModelConfig, free: float, shape: TrainingShape, critic: bool = False) -> float:
    """The same where PyTorch trains our decoder: as many tokens as the estimate of the peak leaves room for.

    `shape`: how it trains; infinity where all of `free` is.
    """
    if free == float("inf"):
        return free
    estimate = rl_training_estimate if critic else training_estimate
    least, most = 0, 1 << 40
    while most - least > 1:
        tokens = (least + most) // 2
        fitting = estimate(config, replace(shape, rows=1, width=tokens)) <= free * SHARE
        least, most = (tokens, most) if fitting else (least, tokens)
    return float(least)


def settle(folder: Path, setting: str, asked: int, step: int, fits: Callable[[], float], ranks: Ranks) -> int:
    """`asked`, or the largest multiple of `step` that fits on every rank; at least one `step`.

    A smaller size is said and recorded in `folder`; a resumed run takes what was recorded.
    """
    record = folder / RECORD
    known = read_json(record) if record.is_file() else {}
    fitting = known.get(setting) or min(ranks.gather(min(fits(), asked)))
    size = asked if fitting >= asked else max(step, int(fitting // step) * step)
    if size < asked and setting not in known:
        say(f"{setting} is {asked}, but memory is free for about {int(fitting)}: going on with {size}")
        if ranks.is_main:
            write_json(record, known | {setting: size})
    return size
