"""Advantage estimators. Axes: P problems, G samples of one problem (a group)."""

from jaxtyping import Float
from torch import Tensor

STD_EPS = 1e-6


def group_centred(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """reward - mean of its group: REINFORCE with a group baseline; Dr. GRPO (Liu et al. 2025)."""
    return rewards - rewards.mean(dim=1, keepdim=True)


def group_normalised(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """(reward - group mean) / group std: GRPO (Shao et al. 2024, section 4.1.2).

    Unbiased standard deviation, as in the authors' code; a group of equal rewards gives exact zeros,
    not noise divided by a small number.
    """
    centred = group_centred(rewards)
    std = rewards.std(dim=1, keepdim=True)
    return centred * (std > STD_EPS) / (std + STD_EPS)
