"""Sampling through a model of transformers, under the same random streams as the native samplers.

How a family can be sampled is tried on a few tokens: with its own cache and prompts padded on the left,
with its cache and prompts of one length, or without a cache.
Axes: P prompts, G samples of one prompt, B = P·G rows, S prompt tokens, D width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.random import uniforms
from .kv_cache import PaddedPrompts
from .sampling import Row, choose
from .settings import SamplingConfig
from .stop import StopStrings
from .tokenizer import Tokenizer
from .torch_sampler import KEEP_SHARE, Outputs, is_end
from .transformers_model import TransformersModel

Autocast = Callable[[], AbstractContextManager[object]]
"""Makes the context in which the model runs."""
_TOLERANCE = 1e-3
"""Largest difference of states between two ways of reading the same tokens, relative to the largest state."""
_TRIED = [[2, 3, 4, 5, 6, 7], [8, 9, 10, 11]]
"""Prompts of two lengths."""


class TransformersCache(Protocol):
    """What the samplers need of a cache of transformers."""

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each row so many times."""

    def batch_select_indices(self, indices: Tensor) -> None:
        """These rows."""


class Way(NamedTuple):
    """How a family is sampled."""

    cached: bool
    """Through its cache; else all tokens are read again for each new one."""
    padded: bool
    """With prompts of different lengths in one batch, padded on the left."""


class Reader:
    """Rows of tokens that a model has read so far, and what it keeps of them."""

    def __init__(self, model: TransformersModel, prompts: list[list[int]], cached: bool, autocast: Autocast):
        start = PaddedPrompts.of(prompts, 0, model.device)
        self.model, self.autocast, self.cached = model, autocast, cached
        self.ids, self.real = start.token_ids, start.real.long()
        self.cache: TransformersCache | None = None

    def read_prompts(self, group: int) -> Float[Tensor, "B D"]:
        """States at the last token of each prompt, for all rows of its group."""
        states = self._read(self.ids)
        if group > 1:
            if self.cache is not None:
                self.cache.batch_repeat_interleave(group)
            self.ids, self.real = (rows.repeat_interleave(group, dim=0) for rows in (self.ids, self.real))
        return states.repeat_interleave(group, dim=0)

    def read_token(self, token_ids: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
        """Add one token to each row; the states there."""
        self.ids = torch.cat([self.ids, token_ids[:, None]], dim=1)
        self.real = torch.cat([self.real, torch.ones_like(token_ids)[:, None]], dim=1)
        return self._read(token_ids[:, None] if self.cached else self.ids)

    def keep(self, rows: Int[Tensor, " b"]) -> None:
        """Go on with these rows."""
        self.ids, self.real = self.ids[rows], self.real[rows]
        if self.cache is not None:
            self.cache.batch_select_indices(rows)

    def _read(self, token_ids: Tensor) -> Tensor:
        given: dict[str, object] = {"attention_mask": self.real, "past_key_values": self.cache}
        positions = (self.real.cumsum(dim=1) - 1).clamp(min=0)
        given["position_ids"] = positions[:, -token_ids.shape[1] :]
        if not self.cached:
            given = {}  # without a cache there is no padding
        wanted = {name: value for name, value in given.items() if name in self.model.takes}
        with self.autocast():
            out = self.model.trunk(token_ids, use_cache=self.cached, **wanted)
        self.cache = out.past_key_values if self.cached else None
        states: Tensor = out.last_hidden_state[:, -1]
        return states


@torch.no_grad()
def way_of(model: TransformersModel) -> Way:
    """The fastest way whose states are those of a plain forward pass."""
    for way in (Way(True, True), Way(True, False)):
        if _agrees(model, way):
            return way
    return Way(False, False)


def _agrees(model: TransformersModel, way: Way) -> bool:
    size = model.config.vocab_size
    prompts = [[token % size for token in ids] for ids in _TRIED[: 2 if way.padded else 1]]
    following = torch.tensor([12 % size, 13 % size][: len(prompts)], device=model.device)
    try:
        reader = Reader(model, prompts, way.cached, nullcontext)
        # Twice the rows, all but the first kept: repeating and choosing are tried too.
        reader.read_prompts(2)
        found = reader.read_token(following.repeat_interleave(2))[1:]
        reader.keep(torch.arange(1, 2 * len(prompts), device=model.device))
        last = reader.read_token(following.repeat_interleave(2)[1:])
    except Exception:  # noqa: BLE001
        # A cache that lacks one of these is as good as none, whatever it raises.
        return False
    for index, ids in enumerate(prompts):
        more = [int(following[index])] * 2
        plain = model.hidden(torch.tensor([ids + more], device=model.device))[0, -2:]
        row = 2 * index + (0 if index == 0 else -1)
        both = torch.stack([found[row], last[row]])
        if float((both - plain).abs().max()) > _TOLERANCE * float(plain.abs().max()):
            return False
    return True


@torch.no_grad()
def sample_rows(
    model: TransformersModel,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    tokenizer: Tokenizer,
    stop: StopStrings,
    way: Way,
    autocast: Autocast,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Yield (prompt, its G rows) of the prompts that have just ended; stream_keys (P, G).

    The log-probability of every token is kept at the sampling temperature, in nats.
    """
    at_once = max(1, sampling.max_rows // stream_keys.shape[1])
    for chosen in _batches(prompts, at_once, way.padded):
        reader = Reader(model, [list(prompts[i]) for i in chosen], way.cached, autocast)
        for finished in _sample_batch(reader, stream_keys[chosen], sampling, tokenizer, stop):
            yield [(chosen[index], rows) for index, rows in finished]


def _batches(prompts: Sequence[Sequence[int]], at_once: int, padded: bool) -> Iterator[list[int]]:
    """Prompts that run together, of about the same length, or of exactly one."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) == at_once or not (padded or len(prompts[index]) == len(prompts[batch[0]]))):
            yield sorted(batch)
            batch = []
        batch.append(index)
    if batch:
        yield sorted(batch)


def _sample_batch(
    reader: Reader, stream_keys: np.ndarray, sampling: SamplingConfig, tokenizer: Tokenizer, stop: StopStrings
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Decode all prompts together; yields (prompt, its G rows) of those that have just ended."""
    group, limit, device = stream_keys.shape[1], sampling.max_new_tokens, reader.model.device
    draws = torch.from_numpy(uniforms(stream_keys.reshape(-1), 0, limit)).to(device)
    outputs = Outputs.start(len(stream_keys), group, limit, tokenizer.pad_id, device)
    states = reader.read_prompts(group)
    rows = torch.arange(stream_keys.size, device=device)
    for column in range(limit):
        with reader.autocast():
            logits = reader.model.logits(states).float()
        chosen, chosen_logprobs = choose(logits, draws[rows, column], sampling)
        outputs.tokens[rows, column], outputs.logprobs[rows, column] = chosen, chosen_logprobs
        ended = is_end(chosen, tokenizer)
        if stop:
            ended = ended | stop.completed(outputs.tokens[rows, : column + 1])
        # A row that has ended already keeps its length.
        ended &= outputs.lengths[rows] == 0
        outputs.lengths[rows[ended]] = column + 1
        live = (outputs.lengths[rows] == 0).nonzero().squeeze(1)
        if len(live) == 0 or column + 1 == limit:
            break
        if len(live) < KEEP_SHARE * len(rows):
            if finished := outputs.finished():
                yield finished
            reader.keep(live)
            rows, chosen = rows[live], chosen[live]
        states = reader.read_token(chosen)
    yield outputs.finished(everything=True)
