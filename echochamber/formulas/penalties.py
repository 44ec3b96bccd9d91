"""Numbers added to rewards or scaling them: overlong completions, the adaptive KL coefficient."""

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


def adapted_coefficient(coef: float, kl: float, target: float, gain: float) -> float:
    """coef·(1 + gain·clip(kl / target - 1, ±0.2)): the controller of Ziegler et al. 2019, section 2.2."""
    return coef * (1 + gain * min(max(kl / target - 1, -0.2), 0.2))
