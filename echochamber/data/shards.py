"""Token shards: one flat file of ids, document bounds, and batches that depend on their number alone.

tokens.bin     all ids in training order, uint16 or uint32 by vocabulary
starts.bin     where each document starts, int64; one more entry for the end
prompts.bin    how many of a document's first tokens are its prompt, uint32
sources.bin    which source each document is from, uint8
index.json     sizes, types, source names
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.files import write_json
from ..core.random import generator
from .plan import MixturePlan
from .token_stream import TokenStream, map_file

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


class TokenShards(TokenStream):
    """A written mixture, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        """Open a shard folder; `UserError` when it is not one or a file is too short."""
        path = folder / "index.json"
        if not path.is_file():
            raise UserError(f"{folder}: no index.json, so this is not a folder of token shards")
        self.index = json.loads(path.read_text(encoding="utf-8"))
        self.num_tokens = self.index["num_tokens"]
        self.num_documents = self.index["num_documents"]
        self.tokens = map_file(folder / "tokens.bin", self.index["dtype"], self.num_tokens)
        self.starts = map_file(folder / "starts.bin", "int64", self.num_documents + 1)
        self.prompts = map_file(folder / "prompts.bin", "uint32", self.num_documents)
        self.sources = map_file(folder / "sources.bin", "uint8", self.num_documents)

    def document(self, number: int) -> np.ndarray:
        """The ids of one document, end-of-text included."""
        return np.asarray(self.tokens[self.starts[number] : self.starts[number + 1]], dtype=np.int64)

    def windows(self, positions: np.ndarray, length: int) -> np.ndarray:
        """See `TokenStream`."""
        return np.asarray(self.tokens[positions[:, None] + np.arange(length)], dtype=np.int64)

    def document_ids(self, positions: np.ndarray, sequence_length: int) -> np.ndarray:
        """See `TokenStream`."""
        indices = positions[:, None] + np.arange(sequence_length)
        return np.searchsorted(self.starts, indices, side="right") - 1
