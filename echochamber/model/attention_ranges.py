"""Which earlier tokens each token of packed rows sees, in four integers a token.

Axes: B rows, T tokens. A token at column i attends to the columns [shared_start, shared_end) and
[own_start, i]: a plain sequence has own_start 0; a packed document begins at its own first column; a
completion in a row that holds its prompt once shares the prompt and sees itself, never its neighbours.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class AttentionRanges:
    """Columns and positions per token, int32; `lengths` counts the real tokens at the start of each row."""

    positions: Int[Tensor, "B T"]
    shared_start: Int[Tensor, "B T"]
    shared_end: Int[Tensor, "B T"]
    own_start: Int[Tensor, "B T"]
    lengths: Int[Tensor, " B"]

    @classmethod
    def causal(cls, rows: int, width: int) -> "AttentionRanges":
        """Plain sequences from position 0; right padding is harmless."""
        none, columns = torch.zeros(rows, width, dtype=torch.int32), torch.arange(width, dtype=torch.int32)
        return cls(columns.expand(rows, width).contiguous(), none, none, none, torch.full((rows,), width))

    @classmethod
    def documents(cls, numbers: Int[Tensor, "B T"]) -> "AttentionRanges":
        """Attention inside each document, positions from its start.

        `numbers` names the document of every token, never falling along T. A document that started
        before the row counts from the row's first token.
        """
        rows, width = numbers.shape
        columns = torch.arange(width, device=numbers.device)
        begins = torch.ones_like(numbers, dtype=torch.bool)
        begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
        start = torch.where(begins, columns, 0).cummax(dim=1).values
        none = torch.zeros(rows, width, dtype=torch.int32)
        return cls((columns - start).int().cpu(), none, none, start.int().cpu(), torch.full((rows,), width))

    @property
    def is_causal(self) -> bool:
        """Whether every token sees all tokens before it, so that plain causal attention gives the same.

        Padding then sees more than itself, which nobody reads.
        """
        joined = (self.shared_start == 0) & (self.shared_end >= self.own_start)
        return bool(((self.own_start == 0) | joined).all())

    def mask(self) -> Bool[Tensor, "B 1 T T"]:
        """True where the token of a row may attend to the token of a column; a padding token sees itself."""
        width = self.positions.shape[1]
        columns = torch.arange(width)
        own = (columns >= self.own_start[:, :, None]) & (columns <= columns[:, None])
        shared = (columns >= self.shared_start[:, :, None]) & (columns < self.shared_end[:, :, None])
        padding = columns[:, None] >= self.lengths[:, None, None]
        return torch.where(padding, columns == columns[:, None], own | shared)[:, None]
