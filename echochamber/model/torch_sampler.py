"""Sampling in plain PyTorch, on any device and in any precision.

Prompts run in batches; rows that have ended leave the batch. Each draw is a function of
(seed, step, problem, sample, position) alone, so a completion does not depend on its neighbours.
Axes: P prompts, G samples of one prompt (a group), B = P·G rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.random import uniforms
from .kv_cache import KVCache, PaddedPrompts
from .layers import Norm
from .sampling import Row, choose
from .settings import SamplingConfig
from .stop import StopStrings
from .tokenizer import Tokenizer
from .transformer import Transformer

KEEP_SHARE = 0.75
"""The batch is packed anew once fewer than this share of its rows are still running."""
_PACKED_GROUP = 2
"""Rows that share one copy of their prompt's cache after packing: larger groups read less memory,
smaller ones leave fewer ended rows in the batch."""
_JOINED = tuple(
    f"{name}_proj.{kind}" for name in ("q", "k", "v", "gate", "up") for kind in ("weight", "bias")
)
_MATRICES = ("o_proj.weight", "o_proj.bias", "down_proj.weight", "lm_head.weight")
"""Names in a state dict: what `sampling_copy` joins, and what it converts."""


@torch.no_grad()
def sample_rows(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    tokenizer: Tokenizer,
    stop: StopStrings,
    dtype: torch.dtype = torch.float32,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Yield (prompt, its G rows) of the prompts that have just ended; stream_keys (P, G).

    The log-probability of every token is kept at the sampling temperature, in nats.
    """
    model = sampling_copy(model, dtype)
    at_once = max(1, sampling.max_rows // stream_keys.shape[1])
    # Longest prompts first keeps the padding of a batch small.
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    for start in range(0, len(order), at_once):
        chosen = sorted(order[start : start + at_once])
        batch = [list(prompts[i]) for i in chosen]
        for finished in _sample_batch(model, batch, stream_keys[chosen], sampling, tokenizer, stop):
            yield [(chosen[index], rows) for index, rows in finished]


def sampling_copy(model: Transformer, dtype: torch.dtype) -> Transformer:
    """A frozen copy of the weights as they are now: fewer, larger products than training has.

    Matrices are in `dtype`, those that share an input joined; embeddings and norms are float32.
    """
    with torch.device("meta"):
        copy = Transformer(model.config)
    copy.cos, copy.sin = model.cos, model.sin
    state = {
        name: value.to(dtype) if name.endswith(_MATRICES) else value.float()
        for name, value in model.state_dict().items()
        if not name.endswith(_JOINED)
    }
    copy.load_state_dict(state, strict=False, assign=True)
    for mine, theirs in zip(copy.blocks, model.blocks, strict=True):
        attention, mlp = theirs.self_attn, theirs.mlp
        projections = attention.q_proj, attention.k_proj, attention.v_proj
        mine.self_attn.joined = _join(dtype, *(layer.weight for layer in projections))
        if model.config.qkv_bias:
            mine.self_attn.joined_bias = _join(dtype, *(layer.bias for layer in projections))
        mine.mlp.joined = _join(dtype, mlp.gate_proj.weight, mlp.up_proj.weight)
    for module in copy.modules():
        if isinstance(module, Norm):
            module.out_dtype = dtype
    return copy


def _join(dtype: torch.dtype, *parts: Tensor) -> Tensor:
    """Weights or biases of layers that read the same input, one below the other."""
    return torch.cat([part.detach() for part in parts]).to(dtype)


@dataclass
class _Running:
    """Rows that run together: P prompt caches, each shared by B / P rows."""

    cache: KVCache
    rows: Tensor
    """(B,) index into the outputs, -1 for a filler row."""
    prompts: Tensor
    """(P,) which prompt each prompt cache is of."""


@dataclass
class Outputs:
    """What a batch has written so far, (P·G, limit) each."""

    tokens: Tensor
    logprobs: Tensor
    lengths: Tensor
    """(P·G,) tokens up to and including EOS or the end of a stop string; 0 while a row is running."""
    group: int
    limit: int
    taken: Tensor
    """(P,) True for prompts that were handed out."""

    @classmethod
    def start(cls, prompts: int, group: int, limit: int, pad_id: int, device: torch.device) -> "Outputs":
        """Nothing written yet."""
        count = prompts * group
        return cls(
            tokens=torch.full((count, limit), pad_id, device=device),
            logprobs=torch.zeros(count, limit, device=device),
            lengths=torch.zeros(count, dtype=torch.long, device=device),
            group=group,
            limit=limit,
            taken=torch.zeros(prompts, dtype=torch.bool, device=device),
        )

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
        return [
            (prompt, cut[i * self.group : (i + 1) * self.group]) for i, prompt in enumerate(fresh.tolist())
        ]


def _sample_batch(
    model: Transformer,
    prompts: list[list[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    tokenizer: Tokenizer,
    stop: StopStrings,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Decode all prompts together; yields (prompt, its G rows) of those that have just ended."""
    group, limit, count = stream_keys.shape[1], sampling.max_new_tokens, stream_keys.size
    device = model.cos.device
    draws = torch.from_numpy(uniforms(stream_keys.reshape(-1), 0, limit)).to(device)
    outputs = Outputs.start(len(prompts), group, limit, tokenizer.pad_id, device)
    padded = PaddedPrompts.of(prompts, tokenizer.pad_id, device)
    cache = KVCache.start(model.config, padded, group, limit)
    states = model.read_prompts(padded, cache).repeat_interleave(group, dim=0)
    running = _Running(cache, torch.arange(count, device=device), torch.arange(len(prompts), device=device))
    for column in range(limit):
        live = running.rows >= 0
        logits = model.lm_head(states).float()
        chosen, chosen_logprobs = choose(logits, draws[running.rows.clamp(min=0), column], sampling)
        outputs.tokens[running.rows[live], column] = chosen[live]
        outputs.logprobs[running.rows[live], column] = chosen_logprobs[live]
        ended = live & is_end(chosen, tokenizer)
        if stop:
            ended[live] |= stop.completed(outputs.tokens[running.rows[live], : column + 1])
        outputs.lengths[running.rows[ended]] = column + 1
        running.rows[ended] = -1
        live_count = int((running.rows >= 0).sum())
        if live_count == 0 or column + 1 == limit:
            break
        if live_count < KEEP_SHARE * len(running.rows):
            # Only here, where rows leave anyway: asking at every token would cost more than it brings.
            if finished := outputs.finished():
                yield finished
            running, chosen = _pack(running, chosen)
        states = model.read_token(chosen, running.cache)
    yield outputs.finished(everything=True)


def is_end(token_ids: Tensor, tokenizer: Tokenizer) -> Tensor:
    """(B,) bool: tokens that end a completion."""
    first, *others = tokenizer.end_ids
    ended = token_ids == first
    for other in others:
        ended = ended | (token_ids == other)
    return ended


def _pack(running: _Running, chosen: Tensor) -> tuple[_Running, Tensor]:
    """Keep the live rows only, in groups of at most `_PACKED_GROUP` rows of one prompt.

    A group that is not full is padded with a duplicate row whose output is discarded.
    """
    group = len(running.rows) // len(running.prompts)
    members: dict[int, list[int]] = {}
    owners = running.prompts.repeat_interleave(group).tolist()
    for row in (running.rows >= 0).nonzero().squeeze(1).tolist():
        members.setdefault(owners[row], []).append(row)
    size = min(group, _PACKED_GROUP)
    if sum(-(-len(rows) // size) * size for rows in members.values()) > KEEP_SHARE * len(running.rows):
        size = 1  # mostly single rows are left: groups would keep as many fillers
    groups = [rows[i : i + size] for rows in members.values() for i in range(0, len(rows), size)]
    index = torch.tensor(
        [row for rows in groups for row in rows + rows[:1] * (size - len(rows))], device=chosen.device
    )
    filler = torch.tensor([i >= len(rows) for rows in groups for i in range(size)], device=chosen.device)
    source = index[::size] // group
    running.cache.select(index, source)
    rows = running.rows[index].masked_fill(filler, -1)
    return _Running(running.cache, rows, running.prompts[source]), chosen[index]
