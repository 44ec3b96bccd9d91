"""Rollouts -> tensors. Axes: B completions, T tokens of a completion, N = all completion tokens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

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
    members: list[int]
    """Which rollout of the list each of the B completions is."""
    sources: Int[Tensor, " N"]
    """Index into the rows laid end to end (R·T_row)."""
    targets: Int[Tensor, " N"]
    completion_mask: Bool[Tensor, "B T"]
    columns: dict[str, Float[Tensor, "B T"]]
    """Numbers that travel with each token, such as `old_logprobs` and `advantages`; 0 on padding."""

    @property
    def num_tokens(self) -> int:
        """Completion tokens, N."""
        return len(self.targets)


def batches(
    rollouts: Sequence[Rollout],
    columns: Mapping[str, Sequence[Tensor]],
    tokens_at_once: int,
    fixed_shape: bool = False,
) -> Iterator[Batch]:
    """All rollouts in forward passes of at most `tokens_at_once` packed tokens (at least one row).

    `columns`: name -> one tensor (T_i,) per rollout. With `fixed_shape` every pass has the same
    number of rows, empty ones at the end of the last.
    """
    if not rollouts:
        return
    width = row_width(rollouts)
    at_once = max(1, tokens_at_once // width)
    for rows in split_rows(plan_rows(rollouts, width), at_once):
        packed = fill_rows(rollouts, rows, width, at_once if fixed_shape else len(rows))
        yield _batch(
            rollouts, columns, [(place, row) for row, members in enumerate(rows) for place in members], packed
        )


def _batch(
    rollouts: Sequence[Rollout],
    columns: Mapping[str, Sequence[Tensor]],
    placed: list[tuple[Placed, int]],
    rows: Rows,
) -> Batch:
    width = rows.token_ids.shape[1]
    members = [place.index for place, _ in placed]
    lengths = [len(rollouts[index].completion.token_ids) for index in members]
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    padded = {
        name: pad_sequence([values[index] for index in members], batch_first=True)
        for name, values in columns.items()
    }
    sources: list[int] = []
    targets: list[int] = []
    for (place, row), length in zip(placed, lengths, strict=True):
        first = row * width + place.start
        sources += [row * width + place.prompt_end - 1, *range(first, first + length - 1)]
        targets += rollouts[place.index].completion.token_ids
    return Batch(rows, members, torch.tensor(sources), torch.tensor(targets), mask, padded)
