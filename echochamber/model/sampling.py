"""How a token is drawn from logits: settings, and the one rule that both engines follow.

Axes: B rows, V vocabulary.
"""

from collections.abc import Sequence

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ..core.config import Config
from ..core.errors import UserError

Row = tuple[list[int], list[float], bool]
"""Token ids with EOS or the end of a stop string, log-probabilities, whether the limit cut it."""


class SamplingConfig(Config):
    """How completions are drawn. RL refuses top-p and top-k wherever a ratio to the sampler is used."""

    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw from the likeliest tokens that together hold this share (nucleus; Holtzman et al. 2020)."""
    top_k: int = Field(default=0, ge=0)
    """Draw from the k likeliest tokens; 0: from all."""
    stop: tuple[str, ...] = ()
    """A completion ends with the token that completes one of these; its text ends before the string.

    That token and its log-probability are kept as EOS is, so a trainer sees what was sampled.
    """
    max_new_tokens: int = Field(default=160, gt=0)
    max_rows: int = Field(default=512, gt=0)
    """Completions that run at once; bounds memory."""

    @field_validator("stop")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "" in value:
            raise ValueError("an empty string would end every completion at once")
        return value

    @property
    def python_choice(self) -> bool:
        """Whether tokens are chosen in Python: what needs a sorted distribution, or the text so far."""
        return self.top_p < 1 or self.top_k > 0 or bool(self.stop)


def choose(logits: Tensor, draws: Tensor, sampling: SamplingConfig) -> tuple[Tensor, Tensor]:
    """Tokens (B,) of logits (B, V) by inversion of the cumulative distribution, and their log-probabilities.

    A token is the first whose cumulative share passes the draw (B,), which lies in [0, 1).

    Their log-probabilities are those of the whole tempered distribution, also where top-p or top-k cut it.
    """
    if sampling.temperature == 0:
        best = logits.argmax(dim=-1)
        return best, torch.log_softmax(logits, dim=-1).gather(1, best[:, None]).squeeze(1)
    logp = torch.log_softmax(logits / sampling.temperature, dim=-1)
    cumulative = truncated(logp.exp(), sampling).cumsum(dim=-1)
    # Scaled by the total, so that a sum of 0.9999999 never leaves a draw without a token.
    targets = draws.to(cumulative.dtype).to(cumulative.device)[:, None] * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, targets, right=True).clamp(max=logits.shape[-1] - 1)
    return chosen.squeeze(1), logp.gather(1, chosen).squeeze(1)


def truncated(probabilities: Tensor, sampling: SamplingConfig) -> Tensor:
    """Probabilities (B, V) with 0 outside top-k and top-p (not scaled up again); ties at the edge stay in."""
    if sampling.top_k == 0 and sampling.top_p == 1:
        return probabilities
    ranked = probabilities.sort(dim=-1, descending=True).values
    inside = ranked.cumsum(dim=-1) - ranked < sampling.top_p
    if sampling.top_k:
        inside[:, sampling.top_k :] = False
    least = ranked.masked_fill(~inside, float("inf")).amin(dim=-1, keepdim=True)
    return probabilities * (probabilities >= least)


def check_lengths(prompts: Sequence[Sequence[int]], sampling: SamplingConfig, max_positions: int) -> None:
    """`UserError` where the longest prompt leaves no room for `max_new_tokens`."""
    longest = max((len(ids) for ids in prompts), default=0)
    if longest + sampling.max_new_tokens > max_positions:
        raise UserError(
            f"a prompt of {longest} tokens and max_new_tokens {sampling.max_new_tokens} need "
            f"{longest + sampling.max_new_tokens} positions; the model has {max_positions}"
        )
