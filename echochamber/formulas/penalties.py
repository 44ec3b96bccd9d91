"""Numbers added to rewards: the penalty on overlong completions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def overlong_penalty(lengths: Int[Tensor, "*batch"], limit: int, buffer: int) -> Float[Tensor, "*batch"]:
    """0 up to limit - buffer tokens, then linear to -1 at the limit (DAPO: Yu et al. 2025, eq. 13).

    `buffer` 0 means no penalty at any length.
    """
    if buffer == 0:
        return torch.zeros(lengths.shape)
    return ((limit - buffer - lengths) / buffer).clamp(-1.0, 0.0)
