"""How fast this machine is, compared with the reference that estimates are made for.

A finished stage says how its time compares with its estimate. A stage to do is priced by the ratio
of those most like it: same kind, size and detail (algorithm and problems, or evaluation); else same
kind and size; else same kind; else any.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..model.presets import num_parameters, preset
from ..model.runtime import RuntimeConfig, start_runtime
from ..model.transformer import Transformer

Group = tuple[str, ...]
"""(kind, size, detail) or a beginning of it; () stands for all stages."""
CALIBRATED_PARAMETERS = 12_000_000
"""Larger models are not timed: a step of theirs would take longer than a dry run should."""
CALIBRATION_TOKENS, CALIBRATION_STEPS = 4096, 3


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
        self.ratios = {group: taken / estimated for group, (taken, estimated) in sums.items() if estimated > 0}

    def ratio(self, groups: Sequence[Group]) -> float | None:
        """That of the most specific group with a finished stage; None without any."""
        return next((self.ratios[group] for group in groups if group in self.ratios), None)


def train_tokens_per_s(size: str, vocab_size: int, config: RuntimeConfig, sequence: int = 256) -> float | None:
    """Tokens per second of forward and backward on random tokens, a few seconds' work; None for large sizes."""
    settings = preset(size, vocab_size)
    if num_parameters(settings) > CALIBRATED_PARAMETERS:
        return None
    runtime = start_runtime(config.model_copy(update={"compile": "off"}))
    model = Transformer(settings).to(runtime.device)
    model.init_weights(torch.Generator().manual_seed(0))
    tokens = torch.randint(vocab_size, (CALIBRATION_TOKENS // sequence, sequence + 1), device=runtime.device)
    seconds = []
    for _ in range(1 + CALIBRATION_STEPS):
        started = time.perf_counter()
        with runtime.autocast():
            logits = model.lm_head(model.hidden(tokens[:, :-1]))
        F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten()).backward()
        seconds.append(time.perf_counter() - started)
    return CALIBRATION_TOKENS / sorted(seconds[1:])[CALIBRATION_STEPS // 2]
