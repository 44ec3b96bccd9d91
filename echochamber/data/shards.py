"""Token shards: one flat file of ids, document bounds, and batches that depend on their number alone.

tokens.bin     all ids in training order, uint16 or uint32 by vocabulary
starts.bin     where each document starts, int64; one more entry for the end
prompts.bin    how many of a document's first tokens are its prompt, uint32
sources.bin    which source each document is from, uint8
index.json     sizes, types, source names
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.files import write_json
from ..core.keys import key
from ..core.random import generator
from .plan import MixturePlan

_BLOCK = 1 << 13
"""Documents that are gathered in memory before they are written."""


def write_shards(
    plan: MixturePlan,
    eos_id: int,
    vocab_size: int,
    folder: Path,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Write a plan's documents in a seeded order; each ends with `eos_id`.

    The ids come from the plan's spool, so nothing is encoded twice. `on_progress` gets the number of
    documents written since it was last called.
    """
    dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
    sources = np.concatenate(
        [np.full(len(picks), index, np.uint8) for index, picks in enumerate(plan.chosen)]
    )
    documents = np.concatenate(plan.chosen)
    order = generator("shards", plan.seed).permutation(len(documents))
    sources, documents = sources[order], documents[order]
    tokens = [pool.tokens() for pool in plan.pools]
    starts = [pool.starts(len(pool)) for pool in plan.pools]
    end = np.array([eos_id], np.uint32)
    lengths, prompts = np.zeros(len(documents) + 1, np.int64), np.zeros(len(documents), np.uint32)
    with (folder / "tokens.bin").open("wb") as stream:
        for start in range(0, len(documents), _BLOCK):
            block = slice(start, start + _BLOCK)
            pieces: list[np.ndarray] = []
            for index, (source, document) in enumerate(
                zip(sources[block].tolist(), documents[block].tolist(), strict=True), start
            ):
                ids = tokens[source][starts[source][document] : starts[source][document + 1]]
                pieces += (ids, end)
                lengths[index + 1] = len(ids) + 1
                prompts[index] = plan.pools[source].prompt_lengths[document]
            stream.write(np.concatenate(pieces).astype(dtype).data)
            if on_progress:
                on_progress(len(documents[block]))
    # `tofile` would hide why a disk refused the bytes.
    for name, array in (("starts", np.cumsum(lengths)), ("prompts", prompts), ("sources", sources)):
        (folder / f"{name}.bin").write_bytes(array.data)
    write_json(
        folder / "index.json",
        {
            "dtype": dtype.name,
            "num_tokens": int(lengths.sum()),
            "num_documents": len(documents),
            "eos_id": eos_id,
            "vocab_size": vocab_size,
            "sources": [source.name for source in plan.sources],
        },
    )


class TokenShards:
    """A written mixture, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        """Open a shard folder; `UserError` when it is not one or a file is too short."""
        path = folder / "index.json"
        if not path.is_file():
            raise UserError(f"{folder}: no index.json, so this is not a folder of token shards")
        self.index = json.loads(path.read_text(encoding="utf-8"))
        self.num_tokens: int = self.index["num_tokens"]
        self.num_documents: int = self.index["num_documents"]
        self.tokens = _map(folder / "tokens.bin", self.index["dtype"], self.num_tokens)
        self.starts = _map(folder / "starts.bin", "int64", self.num_documents + 1)
        self.prompts = _map(folder / "prompts.bin", "uint32", self.num_documents)
        self.sources = _map(folder / "sources.bin", "uint8", self.num_documents)

    def document(self, number: int) -> np.ndarray:
        """The ids of one document, end-of-text included."""
        return np.asarray(self.tokens[self.starts[number] : self.starts[number + 1]], dtype=np.int64)

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
        window = np.asarray(self.tokens[positions[:, None] + np.arange(sequence_length + 1)], dtype=np.int64)
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

    def document_ids(self, positions: np.ndarray, sequence_length: int) -> np.ndarray:
        """Document of each input token, (B, T): for masking across documents."""
        indices = positions[:, None] + np.arange(sequence_length)
        return np.searchsorted(self.starts, indices, side="right") - 1


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The shuffle of an epoch."""
    return generator("epoch", seed, epoch).permutation(count)


def _map(path: Path, dtype: str, count: int) -> np.ndarray:
    size = path.stat().st_size if path.is_file() else -1
    if size != count * np.dtype(dtype).itemsize:
        raise UserError(
            f"{path}: is {'missing' if size < 0 else f'{size} bytes long'}, expected "
            f"{count * np.dtype(dtype).itemsize} bytes; prepare the mixture again"
        )
    return np.memmap(path, dtype=dtype, mode="r") if count else np.zeros(0, dtype)
