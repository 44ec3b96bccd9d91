"""Rows that hold each prompt once, followed by several of its completions.

A completion sees its prompt and itself, never its neighbours, so the numbers are those of one
sequence per completion; the prompt's share of the work is paid once per row.
Axes: R rows, T tokens of a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ..model.attention_ranges import Spans
from .collect import Rollout

LEAST_WIDTH = 256
"""Tokens of the narrowest row."""


@dataclass(frozen=True)
class Placed:
    """Where one rollout went."""

    index: int
    """Its place in the list that was packed."""
    row: int
    prompt_end: int
    """Column after its prompt's last token."""
    start: int
    """Column of its first completion token; the last (EOS) is predicted and never read, so it has none."""


@dataclass(frozen=True)
class Rows:
    """Packed inputs of one forward pass."""

    token_ids: Int[Tensor, "R T"]
    spans: Spans
    """A completion's tokens share their prompt; padding is on the right."""


def row_width(rollouts: Sequence[Rollout], multiple: int = 64, least: int = LEAST_WIDTH) -> int:
    """A width that holds the longest rollout, rounded so that shapes repeat from step to step."""
    longest = max(len(r.prompt_ids) + len(r.completion.token_ids) - 1 for r in rollouts)
    return max(least, -(-longest // multiple) * multiple)


def plan_rows(rollouts: Sequence[Rollout], width: int) -> list[list[Placed]]:
    """Rows in order; rollouts of one problem should be neighbours, so that they share its prompt."""
    rows: list[list[Placed]] = [[]]
    used, prompt_end, current = 0, 0, None
    for index, rollout in enumerate(rollouts):
        prompt, tokens = len(rollout.prompt_ids), len(rollout.completion.token_ids) - 1
        new_prompt = rollout.prompt_ids != current
        if rows[-1] and used + tokens + (prompt if new_prompt else 0) > width:
            rows.append([])
            used, new_prompt = 0, True
        if new_prompt:
            used, current = used + prompt, rollout.prompt_ids
            prompt_end = used
        rows[-1].append(Placed(index, len(rows) - 1, prompt_end, used))
        used += tokens
    return rows


def split_rows(rows: list[list[Placed]], at_once: int) -> Iterator[list[list[Placed]]]:
    """Microbatches of at most `at_once` rows."""
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


def fill_rows(
    rollouts: Sequence[Rollout], rows: Sequence[Sequence[Placed]], width: int, num_rows: int
) -> Rows:
    """Tensors of these rows, padded with empty rows to `num_rows`, so that a compiled shape fits."""
    shape = (num_rows, width)
    token_ids = torch.zeros(shape, dtype=torch.long)
    positions, shared_start, shared_end, own_start = (torch.zeros(shape, dtype=torch.int32) for _ in range(4))
    lengths = torch.zeros(num_rows, dtype=torch.long)

    def put(row: int, column: int, ids: Sequence[int], first_position: int) -> None:
        end = lengths[row] = column + len(ids)
        token_ids[row, column:end] = torch.tensor(ids, dtype=torch.long)
        positions[row, column:end] = torch.arange(
            first_position, first_position + len(ids), dtype=torch.int32
        )
        own_start[row, column:end] = column

    for row, members in enumerate(rows):
        seen_end = -1
        for placed in members:
            rollout = rollouts[placed.index]
            length, ids = len(rollout.prompt_ids), rollout.completion.token_ids[:-1]
            if placed.prompt_end != seen_end:
                seen_end = placed.prompt_end
                put(row, seen_end - length, rollout.prompt_ids, 0)
            put(row, placed.start, ids, length)
            shared_start[row, placed.start : placed.start + len(ids)] = seen_end - length
            shared_end[row, placed.start : placed.start + len(ids)] = seen_end
    return Rows(token_ids, Spans(positions, shared_start, shared_end, own_start, lengths))
