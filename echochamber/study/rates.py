"""How fast this machine is, compared with the reference that estimates are made for.

A finished stage says how its time compares with its estimate. A stage to do is priced by the ratio
of those most like it: same kind, size and detail (algorithm and problems, or evaluation); else same
kind and size; else same kind; else any.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..model.generate import generate
from ..model.presets import num_parameters, preset
from ..model.runtime import Runtime, RuntimeConfig, speed_up, start_runtime
from ..model.sampling import SamplingConfig
from ..model.tokenizer import train_tokenizer
from ..model.transformer import Transformer

Group = tuple[str, ...]
"""(kind, size, detail) or a beginning of it; () stands for all stages."""
CALIBRATED_PARAMETERS = 12_000_000
"""Larger models are not timed: a step of theirs would take longer than a dry run should."""
CALIBRATION_TOKENS, CALIBRATION_STEPS, CALIBRATION_LENGTH = 4096, 3, 64


@dataclass(frozen=True)
class Timed:
    """A finished stage."""

    groups: Sequence[Group]
    """From the most to the least specific."""
    estimated: float
    """Seconds on the reference machine."""
    taken: float


class Rates:
    """Seconds taken per second estimated, by group."""

    def __init__(self, finished: Iterable[Timed]) -> None:
        self.count, sums = 0, dict[Group, tuple[float, float]]()
        for stage in finished:
            self.count += 1
            for group in stage.groups:
                taken, estimated = sums.get(group, (0.0, 0.0))
                sums[group] = taken + stage.taken, estimated + stage.estimated
        self.ratios = {
            group: taken / estimated for group, (taken, estimated) in sums.items() if estimated > 0
        }

    def ratio(self, groups: Sequence[Group]) -> float | None:
        """That of the most specific group with a finished stage; None without any."""
        return next((self.ratios[group] for group in groups if group in self.ratios), None)


@dataclass(frozen=True)
class Speed:
    """Tokens per second of one size, one process with `runtime.threads` threads and nothing beside it."""

    train: float
    """Forward, backward and no optimizer, prompt and completion tokens alike."""
    sample: float
    """Completion tokens of a full batch."""


def measure_speed(size: str, vocab_size: int, config: RuntimeConfig) -> Speed | None:
    """A few seconds of training and sampling on random weights; None for sizes that would take long."""
    settings = preset(size, vocab_size)
    if num_parameters(settings) > CALIBRATED_PARAMETERS:
        return None
    runtime = start_runtime(config.model_copy(update={"compile": "off"}))
    model = Transformer(settings).to(runtime.device)
    speed_up(model, runtime)
    model.init_weights(torch.Generator().manual_seed(0))
    return Speed(
        _train_tokens_per_s(model, vocab_size, runtime), _sample_tokens_per_s(model, vocab_size, runtime)
    )


def _train_tokens_per_s(model: Transformer, vocab_size: int, runtime: Runtime, sequence: int = 256) -> float:
    tokens = torch.randint(vocab_size, (CALIBRATION_TOKENS // sequence, sequence + 1), device=runtime.device)

    def step() -> int:
        with runtime.autocast():
            logprobs, _ = model.logprobs(model.hidden(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        logprobs.sum().backward()
        return CALIBRATION_TOKENS

    return _per_second(step)


def _sample_tokens_per_s(model: Transformer, vocab_size: int, runtime: Runtime) -> float:
    """A batch of RL's size, 32 prompts of 40 tokens x 8 completions, by the native engine."""
    prompts, groups = 32, 8
    tokenizer = train_tokenizer([chr(code) * 3 for code in range(33, 127)], vocab_size)
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=CALIBRATION_LENGTH, max_rows=prompts * groups)
    keys = np.arange(prompts * groups, dtype=np.uint64).reshape(prompts, groups)
    given = [[(7 * i + j) % tokenizer.vocab_size for j in range(40)] for i in range(prompts)]

    def step() -> int:
        found = generate(model, tokenizer, given, keys, sampling, runtime.dtype)
        return sum(len(one.token_ids) for group in found for one in group)

    return _per_second(step)


def _per_second(step: Callable[[], int]) -> float:
    """Units that `step` returns per second: median of a few, after one that is not counted."""
    rates = []
    for number in range(1 + CALIBRATION_STEPS):
        started = time.perf_counter()
        done = step()
        if number:
            rates.append(done / (time.perf_counter() - started))
    return sorted(rates)[CALIBRATION_STEPS // 2]
