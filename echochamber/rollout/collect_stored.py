"""A step with more completions than should be in memory: sampled in chunks that outlive a kill.

Each chunk holds whole groups and lies in a Parquet file. What a completion is follows from its own random
stream and the weights, so chunks change nothing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..core.parquet_chunks import ParquetChunks
from ..core.progress import say
from ..core.types import Problem
from ..model.ranks import Ranks
from .collect import Collection
from .shared_chunks import meet_with_chunks, missing_chunks
from .stored_rollouts import StoredRollouts, rollout_table

COMPLETIONS_AT_ONCE = 8192
"""Completions of a chunk, about; steps with more are stored."""


def chunk_spans(num_problems: int, group: int) -> list[slice]:
    """The problems of each chunk."""
    at_once = max(1, COMPLETIONS_AT_ONCE // group)
    return [slice(start, min(start + at_once, num_problems)) for start in range(0, num_problems, at_once)]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Of the policy that samples: chunks of other weights are not its own."""
    digest = hashlib.sha256()
    for name, values in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def collect_stored(
    ranks: Ranks,
    folder: Path,
    name: str,
    problems: Sequence[Problem],
    prompts: Sequence[Sequence[int]],
    group: int,
    collect_part: Callable[[Sequence[Problem], int], Collection],
) -> Collection:
    """`collect_part(problems of a chunk, problems before them)` of every chunk that is not there yet.

    Ranks share the chunks, and all read them from the same `folder`. `name` says whose chunks they are.
    Seconds are the slowest rank's, of what this sitting sampled.
    """
    spans = chunk_spans(len(problems), group)
    chunks = ParquetChunks(folder, name, len(spans))
    seconds = [0.0, 0.0, 0.0]
    for _, index in ranks.share(missing_chunks([chunks], ranks)):
        part = collect_part(problems[spans[index]], spans[index].start)
        chunks.write(index, rollout_table(part.rollouts))
        spent = (part.sample_seconds, part.grade_seconds, part.grade_wait_seconds)
        seconds = [before + more for before, more in zip(seconds, spent, strict=True)]
        if ranks.is_main:
            say(f"{spans[index].stop * group:,} of {len(problems) * group:,} completions of the round")
    meet_with_chunks([chunks], ranks)
    every = ranks.gather(seconds)
    rollouts = StoredRollouts(chunks.paths, problems, prompts, group)
    return Collection(rollouts, group, *(max(times) for times in zip(*every, strict=True)))


def remove_chunks(folder: Path, prefix: str, but: str) -> None:
    """Remove the chunks of other steps or weights, whose names begin with `prefix` but not with `but`."""
    for path in folder.glob(f"{prefix}*"):
        if not path.name.startswith(but):
            path.unlink(missing_ok=True)
