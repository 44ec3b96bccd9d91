"""Algorithms: each is one object, a row of this table, and the loop runs any of them.

| row              | advantages or weights        | loss              | ratio    | averaged over   | critic |
|------------------|------------------------------|-------------------|----------|-----------------|--------|
| ppo              | GAE, whitened                | clipped surrogate | token    | tokens          | yes    |
| grpo             | (r - group mean) / group std | clipped surrogate | token    | each completion |        |
| dr_grpo          | r - group mean               | clipped surrogate | token    | constant        |        |
| dapo             | as grpo, clip-higher         | clipped surrogate | token    | tokens          |        |
| gspo             | as grpo                      | clipped surrogate | sequence | each completion |        |
| rloo             | r - mean of the others       | ratio x advantage | token    | sum / rollouts  |        |
| reinforce        | r - group mean               | ratio x advantage | token    | sum / rollouts  |        |
| expert_iteration | r if positive, no duplicates | NLL               | none     | tokens          |        |
| best_of_n        | 1 for a group's first best   | NLL               | none     | tokens          |        |
| sft              | 1 for every demonstration    | NLL               | none     | tokens          |        |

A user adds a row with `register_algorithm`, in a module that the recipe names under `modules:`
(examples/own-algorithm). Sources and differences from what was published: docs/algorithms.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..core.errors import UserError
from ..formulas.by_name import Formula

if TYPE_CHECKING:
    from torch import Tensor

    from .loss_terms import LossTerm

Average = Literal["tokens", "sequences", "sum", "constant"]
GroupScale = Literal["none", "std", "mean"]

best_of_group = Formula("advantages", "best_of_group")
group_centred = Formula("advantages", "group_centred")
group_normalised = Formula("advantages", "group_normalised")
leave_one_out = Formula("advantages", "leave_one_out")
rewards_as_weights = Formula("advantages", "rewards_as_weights")
clipped_surrogate = Formula("losses", "clipped_surrogate")
importance_weighted = Formula("losses", "importance_weighted")
negative_log_likelihood = Formula("losses", "negative_log_likelihood")
sequence_ratio = Formula("losses", "sequence_ratio")
token_ratio = Formula("losses", "token_ratio")


@dataclass(frozen=True)
class Algorithm:
    """One row."""

    name: str
    advantages: Callable[["Tensor"], "Tensor"] | None
    """Rewards (P, G) -> advantages or weights (P, G); None: generalised advantages by a critic."""
    loss: Callable[["Tensor", "Tensor", "Tensor", float, float], "Tensor"] = clipped_surrogate
    """(logprobs, ratio, advantages, clip_low, clip_high), each (B, T) -> loss per token (B, T)."""
    ratio: Callable[["Tensor", "Tensor", "Tensor"], "Tensor"] | None = token_ratio
    """(logprobs, old_logprobs, completion mask) -> ratio to the sampling policy (B, T).

    None: the row fits chosen completions and never compares with the sampling policy.
    """
    average: Average = "sequences"
    clip: tuple[float, float] = (0.2, 0.2)
    whiten: bool = False
    """Centre and scale advantages over all tokens of a step."""
    centre: Callable[["Tensor"], "Tensor"] = group_centred
    """The baseline of a KL penalty in the reward, (P, G) -> (P, G)."""
    divides_by: GroupScale = "none"
    """The number of each group by which `advantages` divides its centred rewards: standard deviation or mean.

    Such a division gives every problem a KL weight of its own, so forecasts from one weight do not apply.
    """
    loss_terms: tuple["LossTerm", ...] = ()
    """Further terms of the loss, an entropy bonus for instance."""
    keep_rewarded: bool = False
    """Drop completions of weight zero, and all but the first of a problem's equal completions."""
    demonstrations: bool = False
    """Completions come from the file `completions` of the arm; nothing is sampled."""

    @property
    def critic(self) -> bool:
        """Whether values are needed."""
        return self.advantages is None

    @property
    def own_baseline(self) -> bool:
        """Whether the group mean that a sample is compared with holds the sample itself."""
        import torch

        pair = torch.tensor([[1.0, 0.0]])
        return self.policy_gradient and not self.critic and float(self.centre(pair)[0, 0]) < 1

    @property
    def policy_gradient(self) -> bool:
        """Whether the row follows a policy gradient; else it fits completions by their likelihood."""
        return self.ratio is not None


_REGISTRY: dict[str, Algorithm] = {}


def register_algorithm(row: Algorithm) -> Algorithm:
    """Add a row; `UserError` where its name is taken."""
    if row.name in _REGISTRY:
        raise UserError(f"algorithm {row.name!r} is registered already; choose another name")
    _REGISTRY[row.name] = row
    return row


def registered_algorithms() -> tuple[Algorithm, ...]:
    """All rows, the shipped ones first."""
    return tuple(_REGISTRY.values())


def algorithm_row(name: str) -> Algorithm:
    """The row of that name; `UserError` with the known names where there is none."""
    if name not in _REGISTRY:
        raise UserError(f"algorithm {name!r} is not known; there are {', '.join(_REGISTRY)}")
    return _REGISTRY[name]


def _likelihood_fit(
    name: str, weights: Callable[["Tensor"], "Tensor"], demonstrations: bool = False
) -> Algorithm:
    return Algorithm(
        name,
        weights,
        negative_log_likelihood,
        ratio=None,
        average="tokens",
        keep_rewarded=True,
        demonstrations=demonstrations,
    )


for _row in (
    Algorithm("ppo", None, average="tokens", whiten=True),
    Algorithm("grpo", group_normalised, divides_by="std"),
    Algorithm("dr_grpo", group_centred, average="constant"),
    Algorithm("dapo", group_normalised, average="tokens", clip=(0.2, 0.28), divides_by="std"),
    Algorithm("gspo", group_normalised, ratio=sequence_ratio, clip=(3e-4, 4e-4), divides_by="std"),
    Algorithm("rloo", leave_one_out, importance_weighted, average="sum", centre=leave_one_out),
    Algorithm("reinforce", group_centred, importance_weighted, average="sum"),
    _likelihood_fit("expert_iteration", rewards_as_weights),
    _likelihood_fit("best_of_n", best_of_group),
    _likelihood_fit("sft", rewards_as_weights, demonstrations=True),
):
    register_algorithm(_row)
