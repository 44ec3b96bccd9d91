"""The critic: expected return after each token, on a trunk of its own or on the policy's.

Axes: N token positions, D width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

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

    def forward(self, states: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """Values of hidden states; float32 whatever the autocast."""
        with torch.autocast(states.device.type, enabled=False):
            return self.score(states.float()).squeeze(-1)
