"""Writes one part: a file's documents encoded, searched, shuffled, and on disk whole or not at all.

The bytes depend on the input file and the settings alone. The documents of a file stand in a seeded order, as
datatrove's tokenizer leaves them.
"""

import os
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..core.checksums import hash_file
from ..core.random import generator
from .contamination import ContaminationChecker, refuse_contaminated
from .document_pool import EncodeBatch
from .local_sources import RowSource
from .part_overlaps import part_overlap
from .sources import Document
from .token_parts import KeptQuestion, TokenPart, part_paths, write_mark

_BATCH_CHARACTERS = 1 << 20
"""Text that is encoded at a time."""
_BATCH_DOCUMENTS = 2048
_BLOCK_TOKENS = 1 << 22
"""Ids that are gathered in memory before they are written."""


@dataclass(frozen=True)
class PartJob:
    """How a part is made of its documents."""

    number: int
    name: str
    """The input file's name inside its source; it seeds the order."""
    source: str
    suffix: str
    """Text between question and solution."""
    eos_id: int
    dtype: str
    questions: int
    """Questions of the file that are kept."""
    threshold: float
    """Share of a problem set above which the source is refused."""
    drop: bool = False
    """Leave out documents that hold an evaluation problem, instead of refusing the source."""


def write_part(
    job: PartJob,
    file: Path,
    rows: RowSource,
    encode: EncodeBatch,
    checker: ContaminationChecker,
    folder: Path,
) -> None:
    """Encode a file and write its part and mark; memory holds a batch and 8 bytes a document."""
    lengths, prompts = array("I"), array("I")
    kept: list[KeptQuestion] = []
    dropped = 0
    draw = generator("questions", job.name)
    with tempfile.TemporaryFile(dir=folder) as spool:
        for batch in batches(rows.documents_of(file)):
            clean = checker.clean(batch)
            if job.drop:
                dropped, batch = dropped + len(batch) - len(clean), clean
                if not batch:
                    continue
            else:
                refuse_contaminated(job.source, checker.overlaps.values(), job.threshold, whole=False)
            _keep_questions(kept, batch, draw.random(len(batch)), job.questions)
            _spool(spool, batch, job, encode, lengths, prompts)
        spool.flush()
        sizes, asked = np.array(lengths, dtype=np.uint32), np.array(prompts, dtype=np.uint32)
        _write_shuffled(spool, job, sizes, asked, folder)
    part = TokenPart(
        name=job.name,
        documents=len(sizes),
        tokens=int(sizes.sum(dtype=np.int64)),
        prompt_tokens=int(asked.sum(dtype=np.int64)),
        filtered=rows.filtered,
        skipped=rows.bad.skipped,
        files={path.name: (path.stat().st_size, hash_file(path)) for path in part_paths(folder, job.number)},
        overlaps=[part_overlap(overlap, job.name) for overlap in checker.overlaps.values()],
        questions=kept,
        dropped=dropped,
    )
    write_mark(folder, job.number, part)


def batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Documents in lists of about a million letters."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.question) + len(document.solution)
        if size >= _BATCH_CHARACTERS or len(batch) == _BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _spool(
    spool: IO[bytes],
    batch: list[Document],
    job: PartJob,
    encode: EncodeBatch,
    lengths: "array[int]",
    prompts: "array[int]",
) -> None:
    """Append the ids of some documents to the spool, and their lengths."""
    questions = iter(encode([item.question + job.suffix for item in batch if item.question]))
    ids = array("I")
    for item, solution in zip(batch, encode([item.solution for item in batch]), strict=True):
        prompt = next(questions) if item.question else []
        ids.extend(prompt)
        ids.extend(solution)
        ids.append(job.eos_id)
        prompts.append(len(prompt))
        lengths.append(len(prompt) + len(solution) + 1)
    spool.write(np.frombuffer(ids, np.uint32).astype(job.dtype).data)


def _keep_questions(
    kept: list[KeptQuestion], batch: list[Document], priorities: np.ndarray, most: int
) -> None:
    """Keep those with the smallest priorities so far: a uniform sample of a file."""
    worst = kept[-1].priority if len(kept) == most else 1.0
    kept += [
        KeptQuestion(priority, item.question, item.solution)
        for priority, item in zip(priorities.tolist(), batch, strict=True)
        if item.question and priority < worst
    ]
    kept.sort()
    del kept[most:]


def _write_shuffled(
    spool: IO[bytes], job: PartJob, lengths: np.ndarray, prompts: np.ndarray, folder: Path
) -> None:
    """Write the documents of the spool in the order that the file's name seeds."""
    order = generator("part", job.name).permutation(len(lengths))
    begins = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    starts = np.concatenate([[0], np.cumsum(lengths[order], dtype=np.int64)])
    tokens = np.memmap(spool, dtype=job.dtype, mode="r") if len(lengths) else np.zeros(0, job.dtype)
    tokens_path, starts_path, prompts_path = part_paths(folder, job.number)
    with _whole(tokens_path) as stream:
        for block in _blocks(starts):
            pieces = [tokens[begins[i] : begins[i + 1]] for i in order[block].tolist()]
            stream.write(np.concatenate(pieces).data)
    for path, numbers in ((starts_path, starts), (prompts_path, prompts[order])):
        with _whole(path) as stream:
            stream.write(np.ascontiguousarray(numbers).data)


def _blocks(starts: np.ndarray) -> Iterator[slice]:
    """Documents that hold about `_BLOCK_TOKENS` together."""
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + _BLOCK_TOKENS, side="right")) - 1
        last = max(first + 1, last)
        yield slice(first, last)
        first = last


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file under another name, flushed to disk and renamed at the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
