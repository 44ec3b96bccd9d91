"""Log-probabilities from hidden states in chunks, so that no (tokens, vocabulary) matrix outlives its chunk.

The plain way keeps logits, their float32 copy and two gradients of that size: 15 GB for 32,768 tokens of a
vocabulary of 32,000. Here they exist for one chunk at a time, and the backward pass computes them again
(as in Wijmans et al. 2025, "Cut Your Losses in Large-Vocabulary Language Models", without its kernels).
Axes: N tokens, D width, V vocabulary.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 2**25
"""Logits of one chunk: 128 MiB in float32."""


def chunked_logprobs(
    hidden: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    token_ids: Int[Tensor, " N"],
    temperature: float = 1.0,
    with_entropy: bool = False,
    at_once: int | None = None,
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"] | None]:
    """log softmax(hidden · weightᵀ / temperature)[token] in nats, float32; and the entropy or None.

    Equal to `token_logprobs` of the logits, and in its gradients, up to rounding. Products run in the
    precision of autocast where that is on; sums over chunks are float32. The entropy has no gradient.
    `at_once`: tokens of a chunk; None: as many as have 2²⁵ logits.
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    size = at_once or max(64, CHUNK // len(weight))
    apply: Callable[..., tuple[Tensor, Tensor | None]] = _ChunkedLogprobs.apply
    return apply(hidden, weight, token_ids, temperature, with_entropy, size, dtype)


class _ChunkedLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        token_ids: Tensor,
        temperature: float,
        with_entropy: bool,
        size: int,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor | None]:
        count, cast = len(hidden), weight.to(dtype)
        logprobs, lse = (hidden.new_empty(count, dtype=torch.float32) for _ in range(2))
        entropies = hidden.new_empty(count, dtype=torch.float32) if with_entropy else None
        for chunk in _chunks(count, size):
            scaled = _scaled_logits(hidden[chunk].to(dtype), cast, temperature)
            lse[chunk] = torch.logsumexp(scaled, dim=-1)
            logprobs[chunk] = scaled.gather(-1, token_ids[chunk, None]).squeeze(-1) - lse[chunk]
            if entropies is not None:
                expected = (torch.softmax(scaled, dim=-1) * scaled).sum(-1)
                entropies[chunk] = lse[chunk] - expected
        ctx.save_for_backward(hidden, weight, token_ids, lse)
        ctx.settings = temperature, size, dtype
        if entropies is not None:
            ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, weight, token_ids, lse = ctx.saved_tensors
        temperature, size, dtype = ctx.settings
        cast, scale = weight.to(dtype), (upstream.float() / temperature)[:, None]
        need_hidden, need_weight, *_ = ctx.needs_input_grad
        dhidden = torch.empty_like(hidden) if need_hidden else None
        dweight = torch.zeros_like(weight, dtype=torch.float32) if need_weight else None
        for chunk in _chunks(len(hidden), size):
            states = hidden[chunk].to(dtype)
            # d log p[token] / d logits = (1[token] - p) / temperature, in the memory of the logits.
            gradient = _scaled_logits(states, cast, temperature).sub_(lse[chunk, None]).exp_()
            gradient.mul_(-scale[chunk]).scatter_add_(-1, token_ids[chunk, None], scale[chunk])
            gradient = gradient.to(dtype)
            if dhidden is not None:
                dhidden[chunk] = gradient @ cast
            if dweight is not None:
                dweight += gradient.T @ states
        return dhidden, None if dweight is None else dweight.to(weight.dtype), *[None] * 5


def _scaled_logits(hidden: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """(n, V) float32, nobody else's memory."""
    return F.linear(hidden, weight).float().div_(temperature)


def _chunks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
