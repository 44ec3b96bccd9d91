"""Rollouts -> tensors. Axes: B completions, T tokens of a completion, N = all completion tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .collect import Rollout
from .pack import Placed, Rows, fill_rows, plan_rows, row_width, split_rows


@dataclass(frozen=True)
class Batch:
    """Completions of one forward pass; padding is on the right.

    A completion (a, b, EOS) has three tokens: a is predicted at the prompt's last token, b at a,
    EOS at b. `sources` says where in the packed rows each prediction is made, in the order of the
    True entries of `completion_mask`.
    """

    rows: Rows
    sources: Int[Tensor, " N"]
    """Index into the rows laid end to end (R·T_row)."""
    targets: Int[Tensor, " N"]
    completion_mask: Bool[Tensor, "B T"]
    old_logprobs: Float[Tensor, "B T"]
    """The sampler's, at its temperature; 0 on padding."""
    advantages: Float[Tensor, "B T"]

    @property
    def num_tokens(self) -> int:
        """Completion tokens, N."""
        return len(self.targets)


def batches(rollouts: Sequence[Rollout], advantages: Sequence[float], tokens_at_once: int, fixed_shape: bool = False) -> Iterator[Batch]:
    """All rollouts in forward passes of at most `tokens_at_once` packed tokens (at least one row).

    `advantages` has one number per rollout, spread over its tokens. With `fixed_shape` every pass
    has the same number of rows, empty ones at the end of the last.
    """
    if not rollouts:
        return
    width = row_width(rollouts)
    at_once = max(1, tokens_at_once // width)
    for rows in split_rows(plan_rows(rollouts, width), at_once):
        packed = fill_rows(rollouts, rows, width, at_once if fixed_shape else len(rows))
        yield _batch(rollouts, advantages, [(place, row) for row, members in enumerate(rows) for place in members], packed)


def _batch(rollouts: Sequence[Rollout], advantages: Sequence[float], placed: list[tuple[Placed, int]], rows: Rows) -> Batch:
    width = rows.token_ids.shape[1]
    lengths = [len(rollouts[place.index].completion.token_ids) for place, _ in placed]
    shape = (len(placed), max(lengths))
    mask = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]
    old_logprobs, spread = torch.zeros(shape), torch.zeros(shape)
    sources: list[int] = []
    targets: list[int] = []
    for number, ((place, row), length) in enumerate(zip(placed, lengths, strict=True)):
        completion = rollouts[place.index].completion
        first = row * width + place.start
        sources += [row * width + place.prompt_end - 1, *range(first, first + length - 1)]
        targets += completion.token_ids
        old_logprobs[number, :length] = torch.tensor(completion.logprobs)
        spread[number, :length] = advantages[place.index]
    return Batch(rows, torch.tensor(sources), torch.tensor(targets), mask, old_logprobs, spread)
