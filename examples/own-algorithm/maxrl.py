"""MaxRL: maximum-likelihood reinforcement learning (Tajwar et al. 2026, arXiv 2602.02710)."""

from jaxtyping import Float
from torch import Tensor

from echochamber.formulas.advantages import group_centred
from echochamber.formulas.losses import importance_weighted
from echochamber.rl.algorithms import Algorithm, register_algorithm


def over_group_mean(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """(reward - group mean) / group mean, for rewards of 0 and 1; 0 in a group without a success."""
    mean = rewards.mean(dim=1, keepdim=True)
    return group_centred(rewards) / mean.where(mean > 0, 1.0)


register_algorithm(Algorithm("maxrl", over_group_mean, importance_weighted, average="sum", divides_by="mean"))
