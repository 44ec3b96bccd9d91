"""Rollouts of a large step: numbers in arrays, everything else in Parquet files.

A round of Expert Iteration may have half a million completions. As Python objects a token takes about 80
bytes, here 13 with everything else that is kept.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ..core.types import Completion, Problem, Verdict
from .batch import Tokens, TokenSequence
from .collect import Rollout

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "sample": pl.Int32,
    "token_ids": pl.List(pl.Int32),
    "logprobs": pl.List(pl.Float32),
    "text": pl.String,
    "truncated": pl.Boolean,
    "format": pl.String,
    "answer": pl.String,
    "outcome": pl.String,
    "detail": pl.String,
    "process": pl.String,
    "first_error": pl.String,
    "style": pl.String,
    "score": pl.Float64,
    "reward": pl.Float64,
    "parts": pl.String,
}
_VERDICT = ("format", "answer", "outcome", "detail", "process", "first_error", "score")


def rollout_table(rollouts: Sequence[Rollout]) -> pl.DataFrame:
    """One row per rollout; problems and prompts are known to every reader and stay behind."""
    rows = [
        {"sample": r.sample, "reward": r.reward, "parts": json.dumps(r.parts)}
        | {"token_ids": r.completion.token_ids, "logprobs": r.completion.logprobs}
        | {"text": r.completion.text, "truncated": r.completion.truncated}
        | {name: getattr(r.verdict, name) for name in _VERDICT}
        | {"style": json.dumps(r.verdict.style)}
        for r in rollouts
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


class StoredRollouts(Sequence[Rollout]):
    """The rollouts of some chunks, in order; a rollout is built when it is asked for.

    Walking through all of them reads each chunk once. `tokens`, `rewards`, `lengths` and `logprobs` read
    none.
    """

    def __init__(
        self,
        chunks: Sequence[Path],
        problems: Sequence[Problem],
        prompts: Sequence[Sequence[int]],
        group: int,
    ) -> None:
        """`chunks`: tables of `rollout_table`; rollout i is of `problems[i // group]`."""
        self._chunks, self._problems, self._group = list(chunks), list(problems), group
        self._prompts = [tuple(prompt) for prompt in prompts]
        tables = [pl.read_parquet(path, columns=["token_ids", "logprobs", "reward"]) for path in self._chunks]
        self._firsts = np.cumsum([0, *(len(table) for table in tables)]).tolist()
        self.rewards = np.concatenate([table["reward"].fill_null(np.nan).to_numpy() for table in tables])
        """(B,) float64; NaN where the grader could not decide."""
        counts = [table["token_ids"].list.len().to_numpy() for table in tables]
        self.lengths = np.concatenate(counts).astype(np.int64)
        """(B,) tokens of each completion."""
        self._ends = np.cumsum(self.lengths)
        self._ids = np.concatenate([table["token_ids"].explode().to_numpy() for table in tables])
        self._logprobs = np.concatenate([table["logprobs"].explode().to_numpy() for table in tables])
        self._read: tuple[int, pl.DataFrame] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Rollout: ...

    @overload
    def __getitem__(self, index: slice) -> list[Rollout]: ...

    def __getitem__(self, index: int | slice) -> Rollout | list[Rollout]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"rollout {index} of {len(self)}")
        chunk = bisect_right(self._firsts, index) - 1
        row = self._table(chunk).row(index - self._firsts[chunk], named=True)
        verdict = Verdict(**{name: row[name] for name in _VERDICT}, style=json.loads(row["style"]))
        completion = Completion(
            row["text"], tuple(row["token_ids"]), tuple(row["logprobs"]), row["truncated"]
        )
        problem = index // self._group
        return Rollout(
            self._problems[problem],
            row["sample"],
            self._prompts[problem],
            completion,
            verdict,
            row["reward"],
            json.loads(row["parts"]),
        )

    def __iter__(self) -> Iterator[Rollout]:
        return (self[i] for i in range(len(self)))

    def tokens(self, index: int) -> Tokens:
        """The tokens of one rollout."""
        return Tokens(self._prompts[index // self._group], tuple(self._ids[self._part(index)].tolist()))

    def logprobs(self, index: int) -> Tensor:
        """The sampler's log-probabilities (T,) of one rollout's tokens."""
        return torch.from_numpy(self._logprobs[self._part(index)].copy())

    def problem_of(self, index: int) -> Problem:
        """The problem of one rollout."""
        return self._problems[index // self._group]

    def _part(self, index: int) -> slice:
        """Where a rollout's tokens lie among all."""
        end = int(self._ends[index])
        return slice(end - int(self.lengths[index]), end)

    def _table(self, chunk: int) -> pl.DataFrame:
        """One chunk; the last one read is kept."""
        if self._read is None or self._read[0] != chunk:
            self._read = (chunk, pl.read_parquet(self._chunks[chunk]))
        return self._read[1]


def tokens_of(rollouts: Sequence[Rollout], index: int) -> TokenSequence:
    """The tokens of one rollout, from memory where the others are stored."""
    return rollouts.tokens(index) if isinstance(rollouts, StoredRollouts) else rollouts[index]


def problem_of(rollouts: Sequence[Rollout], index: int) -> Problem:
    """The problem of one rollout."""
    return rollouts.problem_of(index) if isinstance(rollouts, StoredRollouts) else rollouts[index].problem


class Column(Sequence[Tensor]):
    """One tensor (T_i,) per rollout, made when it is asked for."""

    def __init__(self, length: int, make: Callable[[int], Tensor]) -> None:
        self._length, self._make = length, make

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        if not 0 <= index < self._length:
            raise IndexError(f"entry {index} of {self._length}")
        return self._make(index)
