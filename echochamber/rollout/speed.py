"""How fast this machine trains and samples a model of a given size, from a few seconds of both."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ..model.presets import num_parameters, preset
from ..model.runtime import Runtime, speed_up, start_runtime
from ..model.settings import RuntimeConfig, SamplingConfig
from ..model.tokenizer import train_tokenizer
from ..model.transformer import Transformer
from .engines import NativeEngine

TIMED_PARAMETERS = 12_000_000
"""Larger models are not timed here: a step of theirs takes longer than a dry run should."""
TIMED_TOKENS, TIMED_STEPS, TIMED_LENGTH = 4096, 3, 64


class Speed(NamedTuple):
    """Tokens per second of one size in one process."""

    train: float
    """Prompt and completion tokens, forward and backward, without the optimizer."""
    sample: float
    """Completion tokens of a full batch."""


def measure_speed(size: str, vocab_size: int, config: RuntimeConfig) -> Speed | None:
    """Tokens per second on random weights; None for sizes that would take long."""
    settings = preset(size, vocab_size)
    if num_parameters(settings) > TIMED_PARAMETERS:
        return None
    runtime = start_runtime(config.model_copy(update={"compile": "off"}))
    model = Transformer(settings).to(runtime.device)
    speed_up(model, runtime)
    model.init_weights(torch.Generator().manual_seed(0))
    return Speed(
        _per_second(_training_step(model, vocab_size, runtime)),
        _per_second(_sampling_step(model, vocab_size, runtime)),
    )


def _training_step(
    model: Transformer, vocab_size: int, runtime: Runtime, sequence: int = 256
) -> Callable[[], int]:
    tokens = torch.randint(vocab_size, (TIMED_TOKENS // sequence, sequence + 1), device=runtime.device)

    def step() -> int:
        with runtime.autocast():
            logprobs, _ = model.logprobs(model.hidden(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        logprobs.sum().backward()
        return TIMED_TOKENS

    return step


def _sampling_step(
    model: Transformer, vocab_size: int, runtime: Runtime, prompts: int = 32, samples: int = 8
) -> Callable[[], int]:
    """A batch of RL's size: 32 prompts of 40 tokens, 8 completions each."""
    tokenizer = train_tokenizer([chr(code) * 3 for code in range(33, 127)], vocab_size)
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=TIMED_LENGTH, max_rows=prompts * samples)
    keys = np.arange(prompts * samples, dtype=np.uint64).reshape(prompts, samples)
    engine = NativeEngine(model, tokenizer, sampling, runtime, "")
    token_ids = [[(7 * i + j) % tokenizer.vocab_size for j in range(40)] for i in range(prompts)]

    def step() -> int:
        return sum(len(one.token_ids) for group in engine.sample(token_ids, keys) for one in group)

    return step


def _per_second(step: Callable[[], int]) -> float:
    """Tokens per second of a step that returns its tokens: median of a few, after one that is not counted."""
    rates = []
    for number in range(1 + TIMED_STEPS):
        started = time.perf_counter()
        done = step()
        if number:
            rates.append(done / (time.perf_counter() - started))
    return sorted(rates)[TIMED_STEPS // 2]
