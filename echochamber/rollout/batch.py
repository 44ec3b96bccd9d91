"""Rollouts -> tensors. Axes: B rollouts, T positions that predict a token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .collect import Rollout


@dataclass(frozen=True)
class Batch:
    """Padded on the right. Position t of every field is about predicting `targets[:, t]`.

    A prompt of 3 tokens and a completion of 2 (a, EOS) give T = 4: inputs p0 p1 p2 a, targets
    p1 p2 a EOS, completion_mask 0 0 1 1.
    """

    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    completion_mask: Bool[Tensor, "B T"]
    old_logprobs: Float[Tensor, "B T"]
    """The sampler's, at its temperature; 0 outside completions."""
    advantages: Float[Tensor, "B T"]

    def __len__(self) -> int:
        return self.inputs.shape[0]

    @property
    def num_tokens(self) -> int:
        """Completion tokens (masked positions)."""
        return int(self.completion_mask.sum())


def assemble(rollouts: Sequence[Rollout], advantages: Sequence[float], pad_id: int) -> Batch:
    """Tensors of some rollouts; `advantages` has one number per rollout, spread over its tokens."""
    width = max(len(r.prompt_ids) + len(r.completion.token_ids) for r in rollouts) - 1
    shape = (len(rollouts), width)
    tokens = torch.full((shape[0], width + 1), pad_id)
    mask = torch.zeros(shape, dtype=torch.bool)
    old_logprobs, spread = torch.zeros(shape), torch.zeros(shape)
    for row, (rollout, advantage) in enumerate(zip(rollouts, advantages, strict=True)):
        ids = rollout.prompt_ids + rollout.completion.token_ids
        first, last = len(rollout.prompt_ids) - 1, len(ids) - 1
        tokens[row, : len(ids)] = torch.tensor(ids)
        mask[row, first:last] = True
        old_logprobs[row, first:last] = torch.tensor(rollout.completion.logprobs)
        spread[row, first:last] = advantage
    return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), mask, old_logprobs, spread)


def by_length(rollouts: Sequence[Rollout], tokens_per_batch: int) -> list[list[int]]:
    """Indices in microbatches of similar length, each at most `tokens_per_batch` padded tokens.

    A rollout longer than the limit gets a microbatch of its own.
    """
    lengths = [len(r.prompt_ids) + len(r.completion.token_ids) for r in rollouts]
    batches: list[list[int]] = []
    for index in sorted(range(len(rollouts)), key=lambda i: (lengths[i], i)):
        # Ascending order: the newest member is the widest of its batch.
        if batches and (len(batches[-1]) + 1) * lengths[index] <= tokens_per_batch:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
