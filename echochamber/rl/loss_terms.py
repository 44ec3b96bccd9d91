"""Loss terms that a row of `algorithms` adds to its own loss.

Axes: B rollouts of at most T tokens, N all their tokens, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class LossInputs:
    """What an extra loss term may use of one forward pass: B rollouts of at most T tokens."""

    logprobs: Float[Tensor, "B T"]
    """log pi of each sampled token, with its gradient; 0 on padding."""
    old_logprobs: Float[Tensor, "B T"]
    """The same under the policy that sampled."""
    advantages: Float[Tensor, "B T"]
    mask: Bool[Tensor, "B T"]
    """True on completion tokens."""
    temperature: float
    """The sampling temperature; log-probabilities are taken at it."""
    from_logits: Callable[[Callable[[Tensor], Tensor]], Tensor]
    """Takes a function from the logits (N, V) of all N tokens to (N,); returns its values as (B, T)."""


LossTerm = Callable[[LossInputs], Tensor]
"""A loss per token (B, T), added to the algorithm's own and averaged with it."""
