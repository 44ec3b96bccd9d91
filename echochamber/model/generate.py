"""Sampling completions: each draw is a function of (seed, step, problem, sample, position) alone.

A prompt is processed once and shared by its samples. Rows that have ended leave the batch. The
log-probability of every token is kept at the sampling temperature, for the trainer to compare.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..core.errors import UserError
from ..core.types import Completion
from .decode import DecodeWeights
from .native.decode import decode_as_finished
from .sampling import Row, SamplingConfig
from .stop import StopStrings
from .tokenizer import Tokenizer
from .torch_sampler import run_wave
from .transformer import Transformer


def generate(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    dtype: torch.dtype = torch.float32,
) -> Iterator[list[Completion]]:
    """Yield the G completions of each prompt in order.

    Shapes: prompts P lists of token ids, stream_keys (P, G) uint64 (see `core.random`). A prompt
    that leaves no room for `max_new_tokens` within the model's positions is a `UserError`.
    """
    done: dict[int, list[Completion]] = {}
    following = 0
    for index, group in generate_as_finished(model, tokenizer, prompts, stream_keys, sampling, dtype):
        done[index] = group
        while following in done:
            yield done.pop(following)
            following += 1


@torch.no_grad()
def generate_as_finished(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    dtype: torch.dtype = torch.float32,
) -> Iterator[tuple[int, list[Completion]]]:
    """Yield (prompt, its G completions) as soon as the last of them has ended; otherwise as `generate`."""
    check_lengths(prompts, sampling, model.config.max_positions)
    stop = StopStrings(sampling.stop, tokenizer)
    for finished in _finished(model, tokenizer, prompts, stream_keys, sampling, stop, dtype):
        texts = tokenizer.decode_batch(
            [_without_eos(ids, tokenizer.eos_id) for _, rows in finished for ids, _, _ in rows]
        )
        following = iter(stop.cut(texts))
        for place, rows in finished:
            yield place, [Completion(next(following), tuple(ids), tuple(lps), cut) for ids, lps, cut in rows]


def _finished(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    stop: StopStrings,
    dtype: torch.dtype,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """(prompt, its rows) of prompts that have just ended, from the C engine where the model has one."""
    if model.native is not None and dtype == torch.bfloat16 and prompts:
        yield from decode_as_finished(
            model, *model.native, prompts, stream_keys, sampling, tokenizer.eos_id, stop
        )
        return
    weights = DecodeWeights.of(model, dtype)
    per_wave = max(1, sampling.max_rows // stream_keys.shape[1])
    # Longest prompts first keeps the padding of a wave small.
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    for start in range(0, len(order), per_wave):
        chosen = sorted(order[start : start + per_wave])
        wave = run_wave(
            weights, [list(prompts[i]) for i in chosen], stream_keys[chosen], sampling, tokenizer, stop
        )
        for finished in wave:
            yield [(chosen[place], rows) for place, rows in finished]


def _without_eos(ids: list[int], eos_id: int) -> list[int]:
    return ids[:-1] if ids[-1] == eos_id else ids


def check_lengths(prompts: Sequence[Sequence[int]], sampling: SamplingConfig, max_positions: int) -> None:
    """`UserError` where the longest prompt leaves no room for `max_new_tokens`."""
    longest = max((len(ids) for ids in prompts), default=0)
    if longest + sampling.max_new_tokens > max_positions:
        raise UserError(
            f"a prompt of {longest} tokens and max_new_tokens {sampling.max_new_tokens} need {longest + sampling.max_new_tokens} "
            f"positions; the model has {max_positions}"
        )
