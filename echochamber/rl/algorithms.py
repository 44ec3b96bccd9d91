"""Algorithms are rows of one table; `rl.py` runs any of them and asks nobody's name.

| row              | advantages                     | loss              | ratio    | averaged over          | critic |
|------------------|--------------------------------|-------------------|----------|------------------------|--------|
| ppo              | GAE, whitened                  | clipped surrogate | token    | tokens                 | yes    |
| grpo             | (r - group mean) / group std   | clipped surrogate | token    | each completion        |        |
| dr_grpo          | r - group mean                 | clipped surrogate | token    | constant               |        |
| dapo             | as grpo, clip-higher           | clipped surrogate | token    | tokens                 |        |
| gspo             | as grpo                        | clipped surrogate | sequence | each completion        |        |
| rloo             | r - mean of the others         | ratio x advantage | token    | sum / completions      |        |
| reinforce        | r - group mean                 | ratio x advantage | token    | sum / completions      |        |
| expert_iteration | 1 if paid and new, else left out | NLL             | none     | tokens                 |        |
| best_of_n        | 1 for the group's first best   | NLL               | none     | tokens                 |        |
| sft              | 1, completions are given       | NLL               | none     | tokens                 |        |

Sources and how these differ from what was published: docs/algorithms.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ..core.errors import UserError
from ..formulas.advantages import (
    best_of_group,
    group_centred,
    group_normalised,
    leave_one_out,
    rewards_as_weights,
)
from ..formulas.losses import (
    clipped_surrogate,
    importance_weighted,
    negative_log_likelihood,
    sequence_ratio,
    sum_per_sequence,
    sum_per_token,
    token_ratio,
)

Average = Literal["tokens", "sequences", "sum", "constant"]


@dataclass(frozen=True)
class Algorithm:
    """One row."""

    name: str
    advantages: Callable[[Tensor], Tensor] | None
    """Rewards (P, G) -> advantages or weights (P, G); None: generalised advantages from the critic's values."""
    loss: Callable[[Tensor, Tensor, Tensor, float, float], Tensor] = clipped_surrogate
    """(logprobs, ratio, advantages, clip_low, clip_high), each (B, T) -> loss per token (B, T)."""
    ratio: Callable[[Tensor, Tensor, Tensor], Tensor] | None = token_ratio
    """(logprobs, old_logprobs, completion mask) -> ratio to the sampler (B, T); None: the sampler is not asked."""
    average: Average = "sequences"
    clip: tuple[float, float] = (0.2, 0.2)
    whiten: bool = False
    centre: Callable[[Tensor], Tensor] = group_centred
    """The baseline of a KL penalty in the reward, (P, G) -> (P, G)."""
    keep_paid: bool = False
    """Completions without weight are dropped, and of equal ones in a group all but the first."""

    @property
    def critic(self) -> bool:
        """Whether values are needed."""
        return self.advantages is None


def _nll(name: str, weights: Callable[[Tensor], Tensor]) -> Algorithm:
    return Algorithm(name, weights, negative_log_likelihood, ratio=None, average="tokens", keep_paid=True)


_ROWS = (
    Algorithm("ppo", None, average="tokens", whiten=True),
    Algorithm("grpo", group_normalised),
    Algorithm("dr_grpo", group_centred, average="constant"),
    Algorithm("dapo", group_normalised, average="tokens", clip=(0.2, 0.28)),
    Algorithm("gspo", group_normalised, ratio=sequence_ratio, clip=(3e-4, 4e-4)),
    Algorithm("rloo", leave_one_out, importance_weighted, average="sum", centre=leave_one_out),
    Algorithm("reinforce", group_centred, importance_weighted, average="sum"),
    _nll("expert_iteration", rewards_as_weights),
    _nll("best_of_n", best_of_group),
    _nll("sft", rewards_as_weights),
)
ALGORITHMS = {row.name: row for row in _ROWS}


def algorithm_row(name: str) -> Algorithm:
    """The row of that name; an unknown one lists what there is."""
    if name not in ALGORITHMS:
        raise UserError(f"algorithm {name!r} is not known; there are {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


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
