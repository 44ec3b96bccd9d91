"""Log-probabilities, entropy and sampled estimates of the KL divergence.

Axes: B rollouts, T tokens, V vocabulary.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def token_logprobs(
    logits: Float[Tensor, "*batch V"], token_ids: Int[Tensor, "*batch"], temperature: float = 1.0
) -> Float[Tensor, "*batch"]:
    """log softmax(logits / temperature)[token], in nats.

    The temperature is the sampler's: a ratio of policies at different temperatures is no ratio.
    """
    scaled = logits.float() / temperature
    chosen = scaled.gather(-1, token_ids.unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(scaled, dim=-1)


def token_entropy(logits: Float[Tensor, "*batch V"], temperature: float = 1.0) -> Float[Tensor, "*batch"]:
    """Entropy of softmax(logits / temperature) at each position, in nats."""
    logp = torch.log_softmax(logits.float() / temperature, dim=-1)
    return -(logp.exp() * logp).sum(-1)


def kl_k1(
    logprobs: Float[Tensor, "*batch"], ref_logprobs: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """log pi - log ref: unbiased for KL(pi || ref) over samples of pi; may be negative (Schulman 2020)."""
    return logprobs - ref_logprobs


def kl_k2(
    logprobs: Float[Tensor, "*batch"], ref_logprobs: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """(log pi - log ref)² / 2: biased, low variance; its gradient is the KL's (Schulman 2020)."""
    return 0.5 * (logprobs - ref_logprobs).square()


def kl_k3(
    logprobs: Float[Tensor, "*batch"], ref_logprobs: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """ref/pi - 1 - log(ref/pi): unbiased for the value and never negative (Schulman 2020).

    As a loss term over samples of pi its expected gradient is that of the *other* direction,
    KL(ref || pi), since the score term is dropped; as used by GRPO (Shao et al. 2024, eq. 4).
    """
    log_ratio = ref_logprobs - logprobs
    return torch.expm1(log_ratio) - log_ratio


def kl_exact(
    logits: Float[Tensor, "*batch V"], ref_logits: Float[Tensor, "*batch V"], temperature: float = 1.0
) -> Float[Tensor, "*batch"]:
    """KL(pi || ref) of the next token's distribution at the sampling temperature, in nats.

    Sum over the vocabulary of pi·(log pi - log ref).
    """
    logp = torch.log_softmax(logits.float() / temperature, dim=-1)
    ref_logp = torch.log_softmax(ref_logits.float() / temperature, dim=-1)
    return (logp.exp() * (logp - ref_logp)).sum(-1)


KL_ESTIMATORS = {"k1": kl_k1, "k2": kl_k2, "k3": kl_k3}
