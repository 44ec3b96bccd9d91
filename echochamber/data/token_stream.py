"""A mixture as one stream of token ids, and batches that depend on their number alone."""

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.keys import key
from ..core.random import generator


class TokenStream(ABC):
    """All ids of a mixture in training order, and which documents they are from."""

    num_tokens: int
    num_documents: int

    @abstractmethod
    def windows(self, positions: np.ndarray, length: int) -> np.ndarray:
        """The ids of `length` positions from each of `positions` (B,) on, (B, length) int64."""

    @abstractmethod
    def document_ids(self, positions: np.ndarray, sequence_length: int) -> np.ndarray:
        """Document of each input token, (B, T): for masking across documents."""

    def num_sequences(self, sequence_length: int) -> int:
        """Sequences per epoch; each needs one token more than its length for the targets."""
        count = (self.num_tokens - 1) // sequence_length
        if count < 1:
            raise UserError(
                f"the mixture has {self.num_tokens:,} tokens, too few for one sequence of "
                f"{sequence_length}; raise its size or shorten the sequences"
            )
        return count

    def batch(
        self,
        step: int,
        batch_sequences: int,
        sequence_length: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a training step, (B, T) int64 each; targets are inputs shifted by one.

        `batch_sequences` counts over all ranks, which each get an equal part, B = batch_sequences /
        world_size. A pure function of its arguments; every epoch has a shuffle and an offset of its own.
        """
        positions = self.positions(step, batch_sequences, sequence_length, seed, rank, world_size)
        window = self.windows(positions, sequence_length + 1)
        return window[:, :-1], window[:, 1:]

    def positions(
        self,
        step: int,
        batch_sequences: int,
        sequence_length: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> np.ndarray:
        """Where the sequences of a step start, (B,)."""
        if batch_sequences % world_size:
            raise UserError(
                f"batch of {batch_sequences} sequences cannot be split over {world_size} ranks; "
                "make it a multiple"
            )
        part = batch_sequences // world_size
        count = self.num_sequences(sequence_length)
        numbers = step * batch_sequences + rank * part + np.arange(part)
        spare = self.num_tokens - 1 - count * sequence_length
        result = np.empty(part, np.int64)
        for epoch in np.unique(numbers // count).tolist():
            here = numbers // count == epoch
            offset = key("offset", seed, epoch) % (spare + 1)
            result[here] = _order(seed, epoch, count)[numbers[here] % count] * sequence_length + offset
        return result


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The shuffle of an epoch."""
    return generator("epoch", seed, epoch).permutation(count)


def map_file(path: Path, dtype: str, count: int) -> np.ndarray:
    """A file of so many numbers, memory-mapped; `UserError` where its size is another."""
    size = path.stat().st_size if path.is_file() else -1
    if size != count * np.dtype(dtype).itemsize:
        raise UserError(
            f"{path}: is {'missing' if size < 0 else f'{size} bytes long'}, expected "
            f"{count * np.dtype(dtype).itemsize} bytes; prepare the mixture again"
        )
    return np.memmap(path, dtype=dtype, mode="r") if count else np.zeros(0, dtype)
