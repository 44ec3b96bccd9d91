"""Rows that hold each prompt once, followed by several of its completions.

A completion sees its prompt and itself, never its neighbours, so the numbers are those of one
sequence per completion; the prompt's share of the work is paid once per row.
Axes: R rows, T tokens of a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

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
    positions: Int[Tensor, "R T"]
    prompts: Int[Tensor, "R T"]
    """Which prompt of the row a token belongs to; -1 on padding."""
    completions: Int[Tensor, "R T"]
    """0 on prompt tokens, else which completion of the row."""

    def mask(self) -> Bool[Tensor, "R 1 T T"]:
        """True where token i may attend to token j: earlier, same prompt, and prompt or own completion."""
        width = self.token_ids.shape[1]
        earlier = torch.ones(width, width, dtype=torch.bool).tril()
        same_prompt = self.prompts[:, :, None] == self.prompts[:, None, :]
        visible = (self.completions[:, None, :] == 0) | (self.completions[:, :, None] == self.completions[:, None, :])
        return (earlier & same_prompt & visible)[:, None]


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


def fill_rows(rollouts: Sequence[Rollout], rows: Sequence[Sequence[Placed]], width: int, num_rows: int) -> Rows:
    """Tensors of these rows, padded with empty rows to `num_rows`, so that a compiled shape fits."""
    shape = (num_rows, width)
    token_ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    prompts, completions = torch.full(shape, -1), torch.zeros(shape, dtype=torch.long)
    for row, members in enumerate(rows):
        seen_end = -1
        for number, placed in enumerate(members, start=1):
            rollout = rollouts[placed.index]
            length, ids = len(rollout.prompt_ids), rollout.completion.token_ids[:-1]
            if placed.prompt_end != seen_end:
                seen_end = placed.prompt_end
                _put(row, seen_end - length, rollout.prompt_ids, 0, token_ids, positions)
                prompts[row, seen_end - length : seen_end] = seen_end
            _put(row, placed.start, ids, length, token_ids, positions)
            prompts[row, placed.start : placed.start + len(ids)] = seen_end
            completions[row, placed.start : placed.start + len(ids)] = number
    return Rows(token_ids, positions, prompts, completions)


def _put(row: int, column: int, ids: Sequence[int], first_position: int, token_ids: Tensor, positions: Tensor) -> None:
    token_ids[row, column : column + len(ids)] = torch.tensor(ids, dtype=torch.long)
    positions[row, column : column + len(ids)] = torch.arange(first_position, first_position + len(ids))
