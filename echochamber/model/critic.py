"""The critic: expected return after each token, on a trunk of its own or on the policy's.

Axes: B rows, T tokens, N token positions, D width.
"""

from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .attention_ranges import AttentionRanges
from .decoder import Decoder


class Critic(nn.Module):
    """A linear head on hidden states, of its own model (`trunk`) or of the policy (None)."""

    def __init__(self, width: int, trunk: Decoder | None) -> None:
        super().__init__()
        self.trunk = trunk
        if trunk is not None:
            trunk.freeze_head()
        self.score = nn.Linear(width, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def row_values(
        self,
        token_ids: Int[Tensor, "B T"],
        ranges: AttentionRanges | None,
        sources: Int[Tensor, " N"],
        autocast: AbstractContextManager[object],
    ) -> Float[Tensor, " N"]:
        """Values at `sources`, indices into the rows laid end to end, from the own trunk."""
        assert self.trunk is not None, "a shared trunk's states come from the policy"
        with autocast:
            states = self.trunk.hidden(token_ids, ranges).flatten(0, 1)[sources]
        return self.forward(states)

    def forward(self, states: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """Values of hidden states; float32 whatever the autocast."""
        with torch.autocast(states.device.type, enabled=False):
            # Split weights may have been gathered in bf16 (model.shard).
            weight, bias = self.score.weight.float(), self.score.bias.float()
            return F.linear(states.float(), weight, bias).squeeze(-1)
