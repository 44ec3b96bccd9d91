"""Sampling in plain PyTorch, any device and precision: prompts run in waves, rows that have ended are packed out.

Axes: P prompts, G samples of one prompt, B = P·G rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.random import uniforms
from .decode import Cache, DecodeWeights, decode_step, prefill
from .sampling import Row, SamplingConfig, choose
from .stop import StopStrings
from .tokenizer import Tokenizer

_KEEP_SHARE = 0.75
"""The batch is packed anew once fewer than this share of its rows are still running."""
_PACKED_GROUP = 2
"""Rows that share one copy of their prompt's cache after packing: larger groups read less memory,
smaller ones leave fewer ended rows in the batch."""


@dataclass
class _Wave:
    """Rows that run together: P prompt caches, each shared by B / P rows."""

    cache: Cache
    rows: Tensor
    """(B,) index into the outputs, -1 for a filler row."""
    prompts: Tensor
    """(P,) which prompt each prompt cache is of."""


@dataclass
class _Outputs:
    """What a wave has written so far, (P·G, limit) each."""

    tokens: Tensor
    logprobs: Tensor
    lengths: Tensor
    """(P·G,) tokens up to and including EOS or the end of a stop string; 0 while a row is running."""
    group: int
    limit: int
    taken: Tensor
    """(P,) True for prompts that were handed out."""

    def finished(self, everything: bool = False) -> list[tuple[int, list[Row]]]:
        """Prompts whose rows have all ended since the last call; at the end `everything` that is left."""
        ended = everything | (self.lengths.view(-1, self.group) > 0).all(dim=1)
        fresh = (ended & ~self.taken).nonzero().squeeze(1)
        self.taken[fresh] = True
        if len(fresh) == 0:
            return []
        rows = (fresh[:, None] * self.group + torch.arange(self.group, device=fresh.device)).flatten()
        columns = zip(
            self.tokens[rows].tolist(), self.logprobs[rows].tolist(), self.lengths[rows].tolist(), strict=True
        )
        cut = [(ids[: n or self.limit], lps[: n or self.limit], n == 0) for ids, lps, n in columns]
        return [(place, cut[i * self.group : (i + 1) * self.group]) for i, place in enumerate(fresh.tolist())]


def run_wave(
    weights: DecodeWeights,
    prompts: list[list[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    tokenizer: Tokenizer,
    stop: StopStrings,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Decode all prompts together; yields (prompt, its G rows) of those that have just ended."""
    group, limit, count = stream_keys.shape[1], sampling.max_new_tokens, stream_keys.size
    device = weights.embed.device
    draws = torch.from_numpy(uniforms(stream_keys.reshape(-1), 0, limit)).to(device)
    tokens = torch.full((count, limit), tokenizer.pad_id, device=device)
    lengths, taken = (
        torch.zeros(count, dtype=torch.long, device=device),
        torch.zeros(len(prompts), dtype=torch.bool, device=device),
    )
    outputs = _Outputs(tokens, torch.zeros(count, limit, device=device), lengths, group, limit, taken)
    states, wave = _start_wave(weights, prompts, group, limit, tokenizer.pad_id)
    for column in range(limit):
        live = wave.rows >= 0
        logits = F.linear(weights.normed(states, weights.norm), weights.head).float()
        chosen, chosen_logprobs = choose(logits, draws[wave.rows.clamp(min=0), column], sampling)
        outputs.tokens[wave.rows[live], column] = chosen[live]
        outputs.logprobs[wave.rows[live], column] = chosen_logprobs[live]
        ended = live & (chosen == tokenizer.eos_id)
        if stop:
            ended[live] |= stop.completed(outputs.tokens[wave.rows[live], : column + 1])
        outputs.lengths[wave.rows[ended]] = column + 1
        wave.rows[ended] = -1
        live_count = int((wave.rows >= 0).sum())
        if live_count == 0 or column + 1 == limit:
            break
        if live_count < _KEEP_SHARE * len(wave.rows):
            # Only here, where rows leave anyway: asking at every token would cost more than it brings.
            if finished := outputs.finished():
                yield finished
            wave, chosen = _pack(wave, chosen, column)
        states = decode_step(weights, wave.cache, chosen, column)
    yield outputs.finished(everything=True)


def _start_wave(
    weights: DecodeWeights, prompts: list[list[int]], group: int, limit: int, pad_id: int
) -> tuple[Tensor, _Wave]:
    """Prefill, and empty caches for the new tokens; returns the last prompt states, one per row."""
    last, keys, values, bias, lengths = prefill(weights, prompts, pad_id)
    config, rows = weights.config, len(prompts) * group
    shape = (rows, config.num_kv_heads, limit, config.head_size)
    new = [[torch.zeros(shape, device=last.device) for _ in keys] for _ in range(2)]
    cache = Cache(keys, values, new[0], new[1], bias, lengths.repeat_interleave(group))
    wave = _Wave(
        cache, torch.arange(rows, device=last.device), torch.arange(len(prompts), device=last.device)
    )
    return last.repeat_interleave(group, dim=0), wave


def _pack(wave: _Wave, chosen: Tensor, length: int) -> tuple[_Wave, Tensor]:
    """Keep the live rows only, in groups of at most `_PACKED_GROUP` rows of one prompt.

    Where a prompt's live rows do not fill their last group, a copy of one of them does, unheard.
    """
    group = len(wave.rows) // len(wave.prompts)
    members: dict[int, list[int]] = {}
    owners = wave.prompts.repeat_interleave(group).tolist()
    for row in (wave.rows >= 0).nonzero().squeeze(1).tolist():
        members.setdefault(owners[row], []).append(row)
    size = min(group, _PACKED_GROUP)
    if sum(-(-len(rows) // size) * size for rows in members.values()) > _KEEP_SHARE * len(wave.rows):
        size = 1  # mostly single rows are left: groups would keep as many fillers
    groups = [rows[i : i + size] for rows in members.values() for i in range(0, len(rows), size)]
    index = torch.tensor(
        [row for rows in groups for row in rows + rows[:1] * (size - len(rows))], device=chosen.device
    )
    filler = torch.tensor([i >= len(rows) for rows in groups for i in range(size)], device=chosen.device)
    source = index[::size] // group
    cache = wave.cache
    for caches in (cache.new_keys, cache.new_values):
        caches[:] = [_take(layer, index, length) for layer in caches]
    cache.prompt_keys = [keys[source] for keys in cache.prompt_keys]
    cache.prompt_values = [values[source] for values in cache.prompt_values]
    cache.prompt_bias, cache.positions = cache.prompt_bias[source], cache.positions[index]
    return _Wave(cache, wave.rows[index].masked_fill(filler, -1), wave.prompts[source]), chosen[index]


def _take(cache: Tensor, index: Tensor, length: int) -> Tensor:
    """Rows `index` moved to the front of the same memory, only the columns in use."""
    cache[: len(index), :, :length] = cache[index, :, :length]
    return cache[: len(index)]
