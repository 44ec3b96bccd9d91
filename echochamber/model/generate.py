"""Sampling completions: each draw is a function of (seed, step, problem, sample, position) alone.

A prompt is processed once and shared by its samples. Rows that have ended leave the batch. The
log-probability of every token is kept at the sampling temperature, for the trainer to compare.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor

from ..core.config import Config
from ..core.errors import UserError
from ..core.random import uniforms
from ..core.types import Completion
from .decode import Cache, DecodeWeights, decode_step, prefill
from .stop import StopStrings
from .tokenizer import Tokenizer
from .transformer import Transformer

_KEEP_SHARE = 0.75
"""The batch is packed anew once fewer than this share of its rows are still running."""
_PACKED_GROUP = 2
"""Rows that share one copy of their prompt's cache after packing: larger groups read less memory,
smaller ones leave fewer ended rows in the batch."""


class SamplingConfig(Config):
    """How completions are drawn. RL refuses top-p and top-k wherever a ratio to the sampler is used."""

    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw from the likeliest tokens that together hold this share (nucleus; Holtzman et al. 2020)."""
    top_k: int = Field(default=0, ge=0)
    """Draw from the k likeliest tokens; 0: from all."""
    stop: tuple[str, ...] = ()
    """A completion ends with the token that completes one of these; its text ends before the string.

    That token and its log-probability are kept as EOS is, so a trainer sees what was sampled.
    """
    max_new_tokens: int = Field(default=160, gt=0)
    max_rows: int = Field(default=512, gt=0)
    """Completions that run at once; bounds memory."""

    @field_validator("stop")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "" in value:
            raise ValueError("an empty string would end every completion at once")
        return value


@dataclass
class _Wave:
    """Rows that run together: P prompt caches, each shared by B / P rows."""

    cache: Cache
    rows: Tensor
    """(B,) index into the outputs, -1 for a filler row."""
    prompts: Tensor
    """(P,) which prompt each prompt cache is of."""


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
    _check_lengths(prompts, sampling, model.config.max_positions)
    weights, stop = DecodeWeights.of(model, dtype), StopStrings(sampling.stop, tokenizer)
    per_wave = max(1, sampling.max_rows // stream_keys.shape[1])
    # Longest prompts first keeps the padding of a wave small.
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    for start in range(0, len(order), per_wave):
        chosen = sorted(order[start : start + per_wave])
        wave = _run_wave(weights, [list(prompts[i]) for i in chosen], stream_keys[chosen], sampling, tokenizer, stop)
        for finished in wave:
            texts = tokenizer.decode_batch([_without_eos(ids, tokenizer.eos_id) for _, rows in finished for ids, _, _ in rows])
            following = iter(stop.cut(texts))
            for place, rows in finished:
                yield chosen[place], [Completion(next(following), tuple(ids), tuple(lps), cut) for ids, lps, cut in rows]


def _without_eos(ids: list[int], eos_id: int) -> list[int]:
    return ids[:-1] if ids[-1] == eos_id else ids


def _check_lengths(prompts: Sequence[Sequence[int]], sampling: SamplingConfig, max_positions: int) -> None:
    longest = max((len(ids) for ids in prompts), default=0)
    if longest + sampling.max_new_tokens > max_positions:
        raise UserError(
            f"a prompt of {longest} tokens and max_new_tokens {sampling.max_new_tokens} need {longest + sampling.max_new_tokens} "
            f"positions; the model has {max_positions}"
        )


_Row = tuple[list[int], list[float], bool]
"""Token ids with EOS or the end of a stop string, log-probabilities, whether the limit cut it."""


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

    def finished(self, everything: bool = False) -> list[tuple[int, list[_Row]]]:
        """Prompts whose rows have all ended since the last call; at the end `everything` that is left."""
        ended = everything | (self.lengths.view(-1, self.group) > 0).all(dim=1)
        fresh = (ended & ~self.taken).nonzero().squeeze(1)
        self.taken[fresh] = True
        if len(fresh) == 0:
            return []
        rows = (fresh[:, None] * self.group + torch.arange(self.group, device=fresh.device)).flatten()
        columns = zip(self.tokens[rows].tolist(), self.logprobs[rows].tolist(), self.lengths[rows].tolist(), strict=True)
        cut = [(ids[: n or self.limit], lps[: n or self.limit], n == 0) for ids, lps, n in columns]
        return [(place, cut[i * self.group : (i + 1) * self.group]) for i, place in enumerate(fresh.tolist())]


def _run_wave(
    weights: DecodeWeights, prompts: list[list[int]], stream_keys: np.ndarray, sampling: SamplingConfig, tokenizer: Tokenizer, stop: StopStrings
) -> Iterator[list[tuple[int, list[_Row]]]]:
    """Decode all prompts together; yields (prompt, its G rows) of those that have just ended."""
    group, limit, count = stream_keys.shape[1], sampling.max_new_tokens, stream_keys.size
    device = weights.embed.device
    draws = torch.from_numpy(uniforms(stream_keys.reshape(-1), 0, limit)).to(device)
    tokens = torch.full((count, limit), tokenizer.pad_id, device=device)
    lengths, taken = torch.zeros(count, dtype=torch.long, device=device), torch.zeros(len(prompts), dtype=torch.bool, device=device)
    outputs = _Outputs(tokens, torch.zeros(count, limit, device=device), lengths, group, limit, taken)
    states, wave = _start_wave(weights, prompts, group, limit, tokenizer.pad_id)
    for column in range(limit):
        live = wave.rows >= 0
        chosen, chosen_logprobs = _sample(weights, states, draws[wave.rows.clamp(min=0), column], sampling)
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


def _start_wave(weights: DecodeWeights, prompts: list[list[int]], group: int, limit: int, pad_id: int) -> tuple[Tensor, _Wave]:
    """Prefill, and empty caches for the new tokens; returns the last prompt states, one per row."""
    last, keys, values, bias, lengths = prefill(weights, prompts, pad_id)
    config, rows = weights.config, len(prompts) * group
    shape = (rows, config.num_kv_heads, limit, config.head_size)
    new = [[torch.zeros(shape, device=last.device) for _ in keys] for _ in range(2)]
    cache = Cache(keys, values, new[0], new[1], bias, lengths.repeat_interleave(group))
    wave = _Wave(cache, torch.arange(rows, device=last.device), torch.arange(len(prompts), device=last.device))
    return last.repeat_interleave(group, dim=0), wave


def _sample(weights: DecodeWeights, states: Tensor, draws: Tensor, sampling: SamplingConfig) -> tuple[Tensor, Tensor]:
    """Tokens (B,) by inversion: the first whose cumulative share passes the draw.

    Their log-probabilities are those of the whole tempered distribution, also where top-p or top-k cut it.
    """
    logits = F.linear(weights.normed(states, weights.norm), weights.head).float()
    if sampling.temperature == 0:
        best = logits.argmax(dim=-1)
        return best, torch.log_softmax(logits, dim=-1).gather(1, best[:, None]).squeeze(1)
    logp = torch.log_softmax(logits / sampling.temperature, dim=-1)
    cumulative = truncated(logp.exp(), sampling).cumsum(dim=-1)
    # Scaled by the total, so that a sum of 0.9999999 never leaves a draw without a token.
    targets = draws.to(cumulative.dtype).to(cumulative.device)[:, None] * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, targets, right=True).clamp(max=logits.shape[-1] - 1)
    return chosen.squeeze(1), logp.gather(1, chosen).squeeze(1)


def truncated(probabilities: Tensor, sampling: SamplingConfig) -> Tensor:
    """Probabilities (B, V) with 0 outside top-k and top-p (not scaled up again); ties at the edge stay in."""
    if sampling.top_k == 0 and sampling.top_p == 1:
        return probabilities
    ranked = probabilities.sort(dim=-1, descending=True).values
    inside = ranked.cumsum(dim=-1) - ranked < sampling.top_p
    if sampling.top_k:
        inside[:, sampling.top_k :] = False
    least = ranked.masked_fill(~inside, float("inf")).amin(dim=-1, keepdim=True)
    return probabilities * (probabilities >= least)


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
    index = torch.tensor([row for rows in groups for row in rows + rows[:1] * (size - len(rows))], device=chosen.device)
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
