"""How a loss per token becomes a scalar."""

from collections.abc import Callable

from torch import Tensor

from ..formulas.losses import sum_per_sequence, sum_per_token
from .algorithms import Average


def averaging(
    name: Average, num_tokens: int, num_sequences: int, max_new_tokens: int
) -> tuple[Callable[[Tensor, Tensor, float], Tensor], float]:
    """How per-token losses become a scalar, and the denominator, counted over the whole minibatch.

    `tokens`: mean over all tokens; `sequences`: mean of the completions' means; `sum`: completions'
    sums over their number; `constant`: over completions times `max_new_tokens` (Dr. GRPO).
    """
    if name == "sequences":
        return sum_per_sequence, num_sequences
    return sum_per_token, {
        "tokens": num_tokens,
        "sum": num_sequences,
        "constant": num_sequences * max_new_tokens,
    }[name]
