"""Advantage estimators. Axes: P problems, G samples of one problem (a group), B rollouts, T tokens."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STD_EPS = 1e-6


def group_centred(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """reward - mean of its group: REINFORCE with a group baseline; Dr. GRPO (Liu et al. 2025, section 3).

    The sample is part of its own baseline, so the expected gradient is (G - 1) / G of the exact one.
    """
    return rewards - rewards.mean(dim=1, keepdim=True)


def leave_one_out(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """reward - mean of the group's *other* samples: RLOO, unbiased (Kool et al. 2019; Ahmadian et al. 2024).

    Equal to G / (G - 1) times `group_centred`; a group of one has no others and is a `ValueError`.
    """
    group = rewards.shape[1]
    if group < 2:
        raise ValueError("leave-one-out needs at least two samples per problem")
    return group_centred(rewards) * (group / (group - 1))


def group_normalised(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """(reward - group mean) / group std: GRPO (Shao et al. 2024, section 4.1.2).

    Unbiased standard deviation, as in the authors' code; a group of equal rewards gives exact zeros,
    not noise divided by a small number. Dividing weighs problems by 1 / std: hard and easy ones more.
    """
    centred = group_centred(rewards)
    std = rewards.std(dim=1, keepdim=True)
    return centred * (std > STD_EPS) / (std + STD_EPS)


def rewards_as_weights(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """The reward where it is positive, else 0: the weights of rejection sampling (Expert Iteration)."""
    return rewards.clamp(min=0)


def best_of_group(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """1 for the first of a group's best samples if its reward is positive, else 0: best-of-n distillation."""
    first = torch.zeros_like(rewards).scatter_(1, rewards.argmax(dim=1, keepdim=True), 1.0)
    return first * (rewards > 0)


def gae(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "B T"]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16), from the last token backwards.

    delta_t = r_t + gamma·V_{t+1} - V_t,  A_t = delta_t + gamma·lambda·A_{t+1}. Masks are prefixes; the
    value after the last valid token is 0, also where the length limit ended the completion.
    """
    advantages = torch.zeros_like(rewards)
    following = next_value = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        valid = mask[:, t]
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        following = torch.where(valid, delta + gamma * lam * following, 0.0)
        next_value = torch.where(valid, values[:, t], 0.0)
        advantages[:, t] = following
    return advantages


def whiten(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """(x - mean) / std over the valid entries of the whole batch; 0 on padding and where nothing varies."""
    valid = values[mask]
    if len(valid) < 2 or float(valid.std()) <= STD_EPS:
        return torch.zeros_like(values)
    return torch.where(mask, (values - valid.mean()) / (valid.std() + STD_EPS), 0.0)
