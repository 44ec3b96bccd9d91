"""Embeddings in, states after the final norm out: all blocks as one differentiable function.

Axes: B rows, T tokens, D width. Products are of cells (`library.cell_dtype`) with float32 sums.
The residual stream stays float32. In bf16 that is what autocast does, rounding in fewer places.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..attention_ranges import AttentionRanges
from . import library as c
from .weights import TrunkWeights


class Trunk:
    """The C engine of one model; `threads` share the rows, each row staying with one of them."""

    def __init__(self, model: Any, threads: int) -> None:
        self.weights, self.threads = TrunkWeights(model), threads

    def __call__(self, x: Float[Tensor, "B T D"], ranges: AttentionRanges) -> Float[Tensor, "B T D"]:
        """States in the engine's cells (bf16 or float32); zero on padding."""
        return _TrunkFunction.apply(self, x.contiguous(), ranges, *self.weights.parameters)


def assign(lengths: list[int], threads: int) -> list[int]:
    """Which thread runs each row: the longest first, to the thread with the least so far."""
    load, owner = [0] * threads, [0] * len(lengths)
    for row in sorted(range(len(lengths)), key=lambda r: (-lengths[r], r)):
        owner[row] = min(range(threads), key=lambda t: (load[t], t))
        load[owner[row]] += lengths[row] + 64
    return owner


def layout(ranges: AttentionRanges, threads: int) -> tuple[ctypes.Structure, list[Tensor]]:
    """The rows for C, and the tensors that must outlive it."""
    rows, width = ranges.positions.shape
    kept = [
        torch.arange(rows) * width,
        ranges.lengths.long().contiguous(),
        torch.tensor(assign(ranges.lengths.tolist(), threads), dtype=torch.int32),
        *(
            part.int().contiguous()
            for part in (ranges.positions, ranges.shared_start, ranges.shared_end, ranges.own_start)
        ),
    ]
    names = ("starts", "lengths", "thread", "positions", "shared_start", "shared_end", "own_start")
    pointers = {name: c.address(tensor) for name, tensor in zip(names, kept, strict=True)}
    return c.Layout(num_tokens=rows * width, num_rows=rows, threads=threads, **pointers), kept


def saved(
    model: ctypes.Structure, num_tokens: int, x: Tensor, keep: bool
) -> tuple[ctypes.Structure, list[Tensor]]:
    """Buffers of activations, x (N, D) in its first layer."""
    D, F, H, A, layers = model.D, model.F, model.H, model.H * model.C, model.L if keep else 1
    W = A + 2 * model.K * model.C
    states = torch.empty(layers + 1 if keep else 1, num_tokens, D)
    states[0] = x.reshape(num_tokens, D)
    kept = {
        "x": states,
        "x1": torch.empty(layers, num_tokens, D),
        "lse": torch.empty(layers, num_tokens, H),
        "qkv": torch.empty(layers, num_tokens, W, dtype=c.cell_dtype()),
        "o": torch.empty(layers, num_tokens, A, dtype=c.cell_dtype()),
        "gu": torch.empty(layers, num_tokens, 2 * F, dtype=c.cell_dtype()),
    }
    return c.Saved(keep=int(keep), **{name: c.address(tensor) for name, tensor in kept.items()}), list(
        kept.values()
    )


def run_forward(
    weights: TrunkWeights, x: Tensor, ranges: AttentionRanges, threads: int, keep: bool
) -> tuple[Tensor, ctypes.Structure, list[Tensor], tuple[ctypes.Structure, list[Tensor]]]:
    """(hidden, saved structure, its tensors, layout)."""
    weights.renew()
    where = layout(ranges, threads)
    structure, tensors = saved(weights.struct, x.shape[0] * x.shape[1], x.detach().float(), keep)
    hidden = torch.zeros(x.shape, dtype=c.cell_dtype())
    c.load().echo_trunk_forward(
        ctypes.byref(weights.struct), ctypes.byref(where[0]), ctypes.byref(structure), hidden.data_ptr()
    )
    return hidden, structure, tensors, where


class _TrunkFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, trunk: Trunk, x: Tensor, ranges: AttentionRanges, *parameters: Tensor) -> Tensor:
        keep = any(ctx.needs_input_grad)
        hidden, structure, tensors, where = run_forward(trunk.weights, x, ranges, trunk.threads, keep)
        if keep:
            ctx.trunk, ctx.structure, ctx.tensors, ctx.where = trunk, structure, tensors, where
            ctx.packed = trunk.weights.times_packed
        return hidden

    @staticmethod
    def backward(ctx: Any, dhidden: Tensor) -> tuple[Tensor | None, ...]:
        weights, threads = ctx.trunk.weights, ctx.trunk.threads
        assert weights.times_packed == ctx.packed, "weights changed between forward and backward"
        dx = torch.zeros(dhidden.shape)
        flat = torch.zeros(threads, sum(p.numel() for p in weights.parameters))
        dnorm = torch.zeros(threads, dhidden.shape[-1])
        grads = (c.LayerGrad * (threads * weights.struct.L))()
        views = [
            part.view(p.shape)
            for p, part in zip(
                weights.parameters, flat[0].split([p.numel() for p in weights.parameters]), strict=True
            )
        ]
        for thread in range(threads):
            _point(grads, weights, flat[thread], thread)
        dhidden = dhidden.float().contiguous()
        c.load().echo_trunk_backward(
            ctypes.byref(weights.struct),
            ctypes.byref(ctx.where[0]),
            ctypes.byref(ctx.structure),
            dhidden.data_ptr(),
            dx.data_ptr(),
            ctypes.addressof(grads),
            dnorm.data_ptr(),
        )
        for thread in range(1, threads):
            flat[0] += flat[thread]
        if weights.final is not None:
            views[-1].copy_(dnorm.sum(0))
        return None, dx, None, *views


def _point(grads: ctypes.Array[ctypes.Structure], weights: TrunkWeights, flat: Tensor, thread: int) -> None:
    """Aim one thread's gradient structures into its flat buffer, parameters in `layer_parameters` order."""
    m, at = weights.struct, flat.data_ptr()
    W = (m.H + 2 * m.K) * m.C
    sizes = {"qkv": W * m.D, "out": m.H * m.C * m.D, "gate_up": 2 * m.F * m.D, "down": m.D * m.F}
    vectors = {"norm1": m.D, "norm2": m.D, "qkv_bias": W, "out_bias": m.D, "q_norm": m.C, "k_norm": m.C}
    # A vector that the model lacks has no pointer in the layer, and its gradient gets none.
    sizes |= {name: size for name, size in vectors.items() if getattr(weights.layers[0], name)}
    for layer in range(m.L):
        for name, size in sizes.items():
            setattr(grads[thread * m.L + layer], name, at)
            at += 4 * size
