"""Policy losses per token and the ways to average them. Axes: B rollouts, T tokens."""

from jaxtyping import Bool, Float
from torch import Tensor


def clipped_surrogate(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    clip_low: float,
    clip_high: float,
) -> Float[Tensor, "B T"]:
    """-min(ratio·A, clip(ratio, 1 - low, 1 + high)·A) per token (Schulman et al. 2017, eq. 7).

    ratio = exp(logprobs - old_logprobs). Unequal bounds are DAPO's clip-higher (Yu et al. 2025).
    """
    ratio = (logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return -(ratio * advantages).minimum(clipped * advantages)


def negative_log_likelihood(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    clip_low: float,
    clip_high: float,
) -> Float[Tensor, "B T"]:
    """-weight·log pi: supervised fine-tuning and Expert Iteration, `advantages` being weights.

    Takes the arguments of every policy loss; those about the sampler are not used.
    """
    del old_logprobs, clip_low, clip_high
    return -advantages * logprobs


def sum_per_token(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], num_tokens: int) -> Float[Tensor, ""]:
    """Sum over valid tokens / tokens of the *whole* batch: exact under any split into microbatches."""
    return (values * mask).sum() / max(num_tokens, 1)


def sum_per_sequence(values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], num_sequences: int) -> Float[Tensor, ""]:
    """Mean within each sequence, summed / sequences of the whole batch (GRPO as published)."""
    lengths = mask.sum(dim=1).clamp(min=1)
    return ((values * mask).sum(dim=1) / lengths).sum() / max(num_sequences, 1)
