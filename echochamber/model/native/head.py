"""Log-probabilities of given tokens from hidden states, without a (tokens, vocabulary) matrix.

Axes: N tokens, D width, V vocabulary.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from . import library as c
from .weights import HeadWeights


class LogprobHead:
    """The output head of one model in C."""

    def __init__(self, weight: Tensor, threads: int) -> None:
        self.weights, self.threads = HeadWeights(weight), threads

    def __call__(
        self, hidden: Float[Tensor, "N D"], targets: Int[Tensor, " N"], temperature: float = 1.0
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
        """log softmax(logits / temperature)[target] with its gradient, and the entropy (nats) without one.

        IndexError for a target that is no token, as in PyTorch; C would read out of bounds.
        """
        size = self.weights.struct.V
        if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < size:
            raise IndexError(
                f"targets lie in {int(targets.min())} to {int(targets.max())}; "
                f"tokens of this vocabulary are 0 to {size - 1}"
            )
        return _HeadFunction.apply(
            self,
            hidden.to(c.cell_dtype()).contiguous(),
            targets.contiguous(),
            temperature,
            self.weights.parameters[0],
        )


class _HeadFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, head: LogprobHead, hidden: Tensor, targets: Tensor, temperature: float, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        head.weights.renew()
        logprobs, entropies, lse = (torch.empty(len(targets)) for _ in range(3))
        c.load().echo_head_forward(
            ctypes.byref(head.weights.struct),
            hidden.data_ptr(),
            targets.data_ptr(),
            len(targets),
            temperature,
            logprobs.data_ptr(),
            entropies.data_ptr(),
            lse.data_ptr(),
            head.threads,
        )
        ctx.head, ctx.temperature, ctx.packed = head, temperature, head.weights.times_packed
        ctx.save_for_backward(hidden, targets, lse)
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden, targets, lse = ctx.saved_tensors
        head, struct = ctx.head, ctx.head.weights.struct
        assert head.weights.times_packed == ctx.packed, "weights changed between forward and backward"
        upstream = upstream.float().contiguous()  # a name, or the copy would be gone before C reads it
        dhidden, dweight = torch.empty(hidden.shape), torch.zeros(head.threads, struct.Vp, struct.D)
        c.load().echo_head_backward(
            ctypes.byref(struct),
            hidden.data_ptr(),
            targets.data_ptr(),
            lse.data_ptr(),
            upstream.data_ptr(),
            len(targets),
            ctx.temperature,
            dhidden.data_ptr(),
            dweight.data_ptr(),
            head.threads,
        )
        for thread in range(1, head.threads):
            dweight[0] += dweight[thread]
        return None, dhidden, None, None, dweight[0, : struct.V]
