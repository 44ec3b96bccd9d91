"""Losses per token and the ways to average them. Axes: B rollouts, T tokens."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def token_ratio(
    logprobs: Float[Tensor, "B T"], old_logprobs: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """pi / pi_old of each token (PPO, GRPO)."""
    del mask
    return (logprobs - old_logprobs).exp()


def sequence_ratio(
    logprobs: Float[Tensor, "B T"], old_logprobs: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """(pi / pi_old of the sequence)^(1 / length), the same at each token: GSPO (Zheng et al. 2025, eq. 7)."""
    difference = ((logprobs - old_logprobs) * mask).sum(dim=1, keepdim=True)
    lengths = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (difference / lengths).exp().expand(mask.shape)


def clipped_surrogate(
    logprobs: Float[Tensor, "B T"],
    ratio: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    clip_low: float,
    clip_high: float,
) -> Float[Tensor, "B T"]:
    """-min(ratio·A, clip(ratio, 1 - low, 1 + high)·A) per token (Schulman et al. 2017, eq. 7).

    Unequal bounds are DAPO's clip-higher (Yu et al. 2025, eq. 10).
    """
    del logprobs
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return -(ratio * advantages).minimum(clipped * advantages)


def importance_weighted(
    logprobs: Float[Tensor, "B T"],
    ratio: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    clip_low: float,
    clip_high: float,
) -> Float[Tensor, "B T"]:
    """-ratio·A: REINFORCE (Williams 1992) where the ratio is 1, and its per-token correction off policy.

    Nothing is clipped; the bounds are not used.
    """
    del logprobs, clip_low, clip_high
    return -ratio * advantages


def negative_log_likelihood(
    logprobs: Float[Tensor, "B T"],
    ratio: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    clip_low: float,
    clip_high: float,
) -> Float[Tensor, "B T"]:
    """-weight·log pi: supervised fine-tuning and Expert Iteration, `advantages` being weights.

    Takes the arguments of every policy loss; those about the sampler are not used.
    """
    del ratio, clip_low, clip_high
    return -advantages * logprobs


def value_loss(
    values: Float[Tensor, "B T"], old_values: Float[Tensor, "B T"], returns: Float[Tensor, "B T"], clip: float
) -> Float[Tensor, "B T"]:
    """max((V - R)², (V_old + clip(V - V_old, ±clip) - R)²) / 2 per token: PPO's value clipping.

    Source: OpenAI baselines `ppo2`, as described by Huang et al. 2022, detail 9. `clip` may be infinite.
    """
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())


def sum_per_token(
    values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], denominator: float
) -> Float[Tensor, ""]:
    """Sum over valid tokens / a denominator of the *whole* batch: exact under any split into microbatches."""
    return (values * mask).sum() / max(denominator, 1)


def sum_per_sequence(
    values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], denominator: float
) -> Float[Tensor, ""]:
    """Mean within each sequence, summed / sequences of the whole batch (GRPO as published, eq. 3)."""
    lengths = mask.sum(dim=1).clamp(min=1)
    return ((values * mask).sum(dim=1) / lengths).sum() / max(denominator, 1)
