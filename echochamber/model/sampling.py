"""How a token is drawn from logits: the one rule that both engines follow.

Axes: B rows, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.errors import UserError
from .settings import SamplingConfig

Row = tuple[list[int], list[float], bool]
"""Token ids with EOS or the end of a stop string, log-probabilities, whether the limit cut it."""

_ROOM_STEP = 64


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
    """`UserError` where the longest prompt leaves no room for `max_new_tokens`; with `cut`, for one token."""
    longest = max((len(ids) for ids in prompts), default=0)
    if sampling.past_positions == "cut":
        if longest >= max_positions:
            raise UserError(f"a prompt of {longest} tokens fills the model's {max_positions} positions")
        return
    if longest + sampling.max_new_tokens > max_positions:
        raise UserError(
            f"a prompt of {longest} tokens and max_new_tokens {sampling.max_new_tokens} need "
            f"{longest + sampling.max_new_tokens} positions; the model has {max_positions}"
        )


def by_room(
    prompts: Sequence[Sequence[int]], sampling: SamplingConfig, max_positions: int
) -> list[tuple[list[int], SamplingConfig]]:
    """(indices of prompts, how they are sampled): those with less room than `max_new_tokens` by themselves.

    Their limit is a multiple of 64 tokens where there is room for as many, so that few groups arise.
    """
    groups: dict[int, list[int]] = {}
    for index, ids in enumerate(prompts):
        room = max_positions - len(ids)
        limit = room if room < _ROOM_STEP else room - room % _ROOM_STEP
        groups.setdefault(min(sampling.max_new_tokens, limit), []).append(index)
    return [
        (indices, sampling.model_copy(update={"max_new_tokens": limit}))
        for limit, indices in sorted(groups.items(), reverse=True)
    ]
