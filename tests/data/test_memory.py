"""Planning and packing keep memory flat on a source of any size."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from echochamber.data.mixture import MixtureConfig, plan_mixture
from echochamber.data.shards import TokenShards, write_shards
from echochamber.data.world import WorldConfig


def encode_as_arrays(texts: list[str]) -> list[list[int]]:
    """Bytes as ids, quickly."""
    return [list(text.encode()) for text in texts]


def peak(folder: Path, rows: int) -> tuple[int, int]:
    """(largest allocation in bytes, size of the tokens on disk) for a file of so many rows."""
    folder.mkdir()
    path = folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            stream.write(
                json.dumps({"text": f"Document {number}: " + "forty words of nothing at all " * 40}) + "\n"
            )
    mixture = MixtureConfig.parse({"sources": {"web": {"path": str(path), "copies": 2}}}, "mixture")
    tracemalloc.start()
    plan = plan_mixture(mixture, WorldConfig(), 0, encode_as_arrays, spool_folder=folder)
    write_shards(plan, 256, 300, folder)
    _, largest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    shards = TokenShards(folder)
    assert shards.num_documents == 2 * rows
    assert int(np.asarray(shards.starts)[-1]) == shards.num_tokens
    return largest, (folder / "tokens.bin").stat().st_size


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    small, small_size = peak(tmp_path / "small", 12_000)
    large, large_size = peak(tmp_path / "large", 36_000)
    assert large_size - small_size > 100_000_000
    assert large - small < 6_000_000
