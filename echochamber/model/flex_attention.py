"""Attention of packed rows by blocks (FlexAttention; Dong et al. 2024), without a matrix of all token pairs.

A block is 128 queries by 128 keys. Blocks that no token looks into are left out, blocks that all tokens see
whole need no test, and in the rest every pair is tested against the ranges.
Axes: B rows, T tokens, Q blocks of queries, K blocks of keys, H heads, C head size.
"""

from functools import cache
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .attention_ranges import AttentionRanges

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.nn.attention.flex_attention import BlockMask

BLOCK = 128
"""Tokens of a block; the size that FlexAttention's kernels are tuned for."""
LEAST_HEAD_SIZE = 16
"""Of FlexAttention's kernels."""


def block_mask(ranges: AttentionRanges, device: torch.device) -> "BlockMask":
    """The blocks to compute, and a function that tests a pair of tokens in those that are seen in part."""
    from torch.nn.attention.flex_attention import BlockMask  # brings torch's compiler along

    own_start, shared_start, shared_end, lengths = (
        part.to(device) for part in (ranges.own_start, ranges.shared_start, ranges.shared_end, ranges.lengths)
    )

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        own = (key >= own_start[row, query]) & (key <= query)
        shared = (key >= shared_start[row, query]) & (key < shared_end[row, query])
        return torch.where(query >= lengths[row], key == query, own | shared)

    some, whole = seen_blocks(own_start, shared_start, shared_end, lengths)
    width = own_start.shape[1]
    found: BlockMask = BlockMask.from_kv_blocks(
        *_listed(some & ~whole),
        *_listed(whole),
        BLOCK_SIZE=BLOCK,
        mask_mod=sees,
        seq_lengths=(width, width),
    )
    return found


def seen_blocks(
    own_start: Int[Tensor, "B T"],
    shared_start: Int[Tensor, "B T"],
    shared_end: Int[Tensor, "B T"],
    lengths: Int[Tensor, " B"],
) -> tuple[Bool[Tensor, "B Q K"], Bool[Tensor, "B Q K"]]:
    """(blocks with at least one visible pair, blocks whose pairs are all visible).

    A block that only two ranges together make whole counts as seen in part, which costs time alone.
    """
    rows, width = own_start.shape
    blocks = -(-width // BLOCK)
    first = torch.arange(blocks, device=own_start.device) * BLOCK
    end = first + BLOCK
    query = torch.arange(width, device=own_start.device)[:, None]
    own, shared_from, shared_to = (part[..., None] for part in (own_start, shared_start, shared_end))
    padding = query >= lengths[:, None, None]
    some = (own < end) & (query >= first)
    some |= (shared_from < end) & (shared_to > first) & (shared_from < shared_to)
    some = torch.where(padding, (query >= first) & (query < end), some)
    whole = ((own <= first) & (query >= end - 1)) | ((shared_from <= first) & (shared_to >= end))
    whole &= ~padding & (end <= width)
    extra = (0, 0, 0, blocks * BLOCK - width)
    tiles = rows, blocks, BLOCK, blocks
    return (
        torch.nn.functional.pad(some, extra).view(tiles).any(2),
        torch.nn.functional.pad(whole, extra).view(tiles).all(2),
    )


def flex_attend(
    q: Float[Tensor, "B H T C"], k: Float[Tensor, "B H T C"], v: Float[Tensor, "B H T C"], mask: "BlockMask"
) -> Float[Tensor, "B H T C"]:
    """softmax(q·kᵀ / sqrt(C))·v over the pairs that the mask lets through; one kernel on CUDA."""
    return _kernel(q.is_cuda and not torch.compiler.is_compiling())(q, k, v, block_mask=mask)


@cache
def _kernel(compiled: bool) -> "Callable[..., Tensor]":
    """FlexAttention, compiled on its own where nothing around it is: otherwise it would build all scores."""
    from torch.nn.attention.flex_attention import flex_attention

    return cast("Callable[..., Tensor]", torch.compile(flex_attention) if compiled else flex_attention)


def _listed(blocks: Bool[Tensor, "B Q K"]) -> tuple[Int[Tensor, "B 1 Q"], Int[Tensor, "B 1 Q K"]]:
    """How many blocks of keys each block of queries has, and their numbers with those in front."""
    order = torch.argsort(blocks.int(), dim=-1, descending=True, stable=True)
    return blocks.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None]
