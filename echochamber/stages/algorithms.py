"""Algorithms are rows of one table; `rl.py` runs any of them and asks nobody's name.

| row  | advantages                         | loss              | averaged over      | sampler's ratio |
|------|------------------------------------|-------------------|--------------------|-----------------|
| grpo | (r - group mean) / group std       | clipped surrogate | each completion    | yes             |

GRPO: Shao et al. 2024 (DeepSeekMath), eq. 3, with outcome supervision (section 4.1.2) and the
unbiased standard deviation.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..core.errors import UserError
from ..formulas.advantages import group_normalised
from ..formulas.losses import clipped_surrogate, sum_per_sequence


@dataclass(frozen=True)
class Algorithm:
    """One row."""

    name: str
    advantages: Callable[[Tensor], Tensor]
    """Rewards (P, G) -> advantages (P, G)."""
    loss: Callable[[Tensor, Tensor, Tensor, float, float], Tensor]
    """(logprobs, old_logprobs, advantages, clip_low, clip_high), each (B, T) -> loss per token (B, T)."""
    average: Callable[[Tensor, Tensor, int], Tensor]
    """(values (B, T), completion mask, denominator of the whole minibatch) -> scalar."""
    denominator: str
    """What the denominator counts: `tokens` or `sequences`."""


ALGORITHMS = {
    row.name: row
    for row in (Algorithm("grpo", group_normalised, clipped_surrogate, sum_per_sequence, "sequences"),)
}


def algorithm_row(name: str) -> Algorithm:
    """The row of that name; an unknown one lists what there is."""
    if name not in ALGORITHMS:
        raise UserError(f"algorithm {name!r} is not known; there are {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]
