"""Rollouts -> tensors: packed rows, and what is predicted where.

A row holds each prompt once, followed by several of its completions. A completion attends to its
prompt and to itself, never to its neighbours, so the numbers are those of one sequence per
completion; the prompt is computed once per row.
Axes: B completions, T tokens of a completion, N = all completion tokens, R rows, W tokens of a row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..model.attention_ranges import AttentionRanges

LEAST_WIDTH = 256
"""Tokens of the narrowest row."""


@runtime_checkable
class TokenSequence(Protocol):
    """A prompt and its completion, as tokens: what a forward pass needs of a rollout."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """Tokens of the prompt."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Completion tokens up to and including EOS."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one rollout."""

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class PackedRollout:
    """Where one rollout lies in the packed rows."""

    index: int
    """Its index in the list that was packed."""
    row: int
    prompt_end: int
    """Column after its prompt's last token."""
    start: int
    """Column of its first completion token; the last (EOS) is predicted and never read, so it has none."""


@dataclass(frozen=True)
class PackedRows:
    """Packed inputs of one forward pass."""

    token_ids: Int[Tensor, "R T"]
    ranges: AttentionRanges
    """A completion's tokens share their prompt; padding is on the right."""


def row_width(rollouts: Sequence[TokenSequence], multiple: int = 64, least: int = LEAST_WIDTH) -> int:
    """A width that holds the longest rollout, rounded so that shapes repeat from step to step."""
    longest = max(len(r.prompt_ids) + len(r.token_ids) - 1 for r in rollouts)
    return max(least, -(-longest // multiple) * multiple)


def plan_rows(rollouts: Sequence[TokenSequence], width: int) -> list[list[PackedRollout]]:
    """Rows in order; rollouts of one problem should be neighbours, so that they share its prompt."""
    rows: list[list[PackedRollout]] = [[]]
    used, prompt_end, current = 0, 0, None
    for index, rollout in enumerate(rollouts):
        prompt, tokens = len(rollout.prompt_ids), len(rollout.token_ids) - 1
        new_prompt = rollout.prompt_ids != current
        if rows[-1] and used + tokens + (prompt if new_prompt else 0) > width:
            rows.append([])
            used, new_prompt = 0, True
        if new_prompt:
            used, current = used + prompt, rollout.prompt_ids
            prompt_end = used
        rows[-1].append(PackedRollout(index, len(rows) - 1, prompt_end, used))
        used += tokens
    return rows


def split_rows(rows: list[list[PackedRollout]], at_once: int) -> Iterator[list[list[PackedRollout]]]:
    """Microbatches of at most `at_once` rows."""
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


def fill_rows(
    rollouts: Sequence[TokenSequence], rows: Sequence[Sequence[PackedRollout]], width: int, num_rows: int
) -> PackedRows:
    """Tensors of these rows, padded with empty rows to `num_rows`, so that a compiled shape fits."""
    shape = (num_rows, width)
    token_ids, lengths = np.zeros(shape, dtype=np.int64), np.zeros(num_rows, dtype=np.int64)
    positions, shared_start, shared_end, own_start = (np.zeros(shape, dtype=np.int32) for _ in range(4))

    def put(row: int, column: int, ids: Sequence[int], first_position: int) -> None:
        end = lengths[row] = column + len(ids)
        token_ids[row, column:end] = ids
        positions[row, column:end] = np.arange(first_position, first_position + len(ids))
        own_start[row, column:end] = column

    for row, members in enumerate(rows):
        seen_end = -1
        for placed in members:
            rollout = rollouts[placed.index]
            length, ids = len(rollout.prompt_ids), rollout.token_ids[:-1]
            if placed.prompt_end != seen_end:
                seen_end = placed.prompt_end
                put(row, seen_end - length, rollout.prompt_ids, 0)
            put(row, placed.start, ids, length)
            shared_start[row, placed.start : placed.start + len(ids)] = seen_end - length
            shared_end[row, placed.start : placed.start + len(ids)] = seen_end
    columns = (
        torch.from_numpy(column) for column in (positions, shared_start, shared_end, own_start, lengths)
    )
    return PackedRows(torch.from_numpy(token_ids), AttentionRanges(*columns))


@dataclass(frozen=True)
class Batch:
    """Completions of one forward pass; padding is on the right.

    A completion (a, b, EOS) has three tokens: a is predicted at the prompt's last token, b at a,
    EOS at b. `sources` says where in the packed rows each prediction is made, in the order of the
    True entries of `completion_mask`.
    """

    rows: PackedRows
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
    rollouts: Sequence[TokenSequence],
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
            rollouts,
            columns,
            [(placed, row) for row, members in enumerate(rows) for placed in members],
            packed,
        )


def _batch(
    rollouts: Sequence[TokenSequence],
    columns: Mapping[str, Sequence[Tensor]],
    placed: list[tuple[PackedRollout, int]],
    rows: PackedRows,
) -> Batch:
    width = rows.token_ids.shape[1]
    members = [one.index for one, _ in placed]
    lengths = [len(rollouts[index].token_ids) for index in members]
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    padded = {
        name: pad_sequence([values[index] for index in members], batch_first=True)
        for name, values in columns.items()
    }
    sources: list[int] = []
    targets: list[int] = []
    for (one, row), length in zip(placed, lengths, strict=True):
        first = row * width + one.start
        sources += [row * width + one.prompt_end - 1, *range(first, first + length - 1)]
        targets += rollouts[one.index].token_ids
    return Batch(rows, members, torch.tensor(sources), torch.tensor(targets), mask, padded)
