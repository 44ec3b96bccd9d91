"""A source's documents as token ids, encoded once and spooled to disk, so that memory stays flat."""

import hashlib
import tempfile
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import IO

import numpy as np

from .contamination import ContaminationChecker
from .sources import BackgroundSource, Document, Source, WorldSource
from .training_questions import Reservoir

EncodeBatch = Callable[[list[str]], list[list[int]]]
_CHUNK = 2048
_BATCH = 256
"""Documents that a worker draws at a time."""
DROPPED = "documents with evaluation problems dropped"
_AHEAD = 8
"""Batches of `_BATCH` documents drawn ahead of the request for them."""


def _draw(source: WorldSource | BackgroundSource, numbers: range) -> list[Document]:
    """In a worker: some documents of a generated source."""
    return [source.document(number) for number in numbers]


def _drawn_ahead(source: WorldSource | BackgroundSource, executor: Executor) -> Iterator[Document]:
    """The documents of a generated source in order, drawn by workers a few batches ahead."""
    pending: deque[Future[list[Document]]] = deque()
    starts = count(0, _BATCH)
    try:
        while True:
            while len(pending) < _AHEAD:
                start = next(starts)
                pending.append(executor.submit(_draw, source, range(start, start + _BATCH)))
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _close(spool: IO[bytes]) -> None:
    """Close a file without a name; on a full disk it has bytes that nobody needs any longer."""
    with suppress(OSError):
        spool.close()


class DocumentPool:
    """The first documents of a source, grown on demand; lengths count the end-of-text token.

    `drop`: documents in which `checker` finds an evaluation problem are left out and counted.
    """

    def __init__(
        self,
        source: Source,
        encode_batch: EncodeBatch,
        prompt_suffix: str,
        *,
        checker: ContaminationChecker | None = None,
        drop: bool = False,
        reservoir: Reservoir | None = None,
        executor: Executor | None = None,
        spool_folder: Path | None = None,
    ) -> None:
        self.source, self.encode_batch, self.prompt_suffix = source, encode_batch, prompt_suffix
        self.checker, self.reservoir = checker or ContaminationChecker({}), reservoir
        self.exhausted = False
        self.drop, self.dropped = drop, 0
        self.lengths, self.prompt_lengths = array("I"), array("I")
        self._documents = (
            _drawn_ahead(source, executor)
            if executor is not None and isinstance(source, (WorldSource, BackgroundSource))
            else source.documents()
        )
        self._spool = tempfile.TemporaryFile(dir=spool_folder)  # noqa: SIM115  (lives as long as the pool)
        weakref.finalize(self, _close, self._spool)

    def __len__(self) -> int:
        return len(self.lengths)

    def grow_to(self, documents: int) -> int:
        """Encode until there are so many documents, or the source ends; returns how many there are."""
        while len(self) < documents and not self.exhausted:
            self._grow(min(_CHUNK, documents - len(self)))
        return min(documents, len(self))

    def grow_to_tokens(self, tokens: int) -> None:
        """Encode until the documents hold at least so many tokens, or the source ends."""
        held = sum(self.lengths)
        while held < tokens and not self.exhausted:
            before = len(self)
            self._grow(_CHUNK)
            held += sum(self.lengths[before:])

    def _grow(self, documents: int) -> None:
        found = list(islice(self._documents, documents))
        self.exhausted = len(found) < documents
        clean = self.checker.clean(found)
        if self.drop:
            self.dropped, found = self.dropped + len(found) - len(clean), clean
        if self.reservoir is not None:
            for document in found:
                self.reservoir.add(document)
        prompts = self.encode_batch(
            [item.question + self.prompt_suffix if item.question else "" for item in found]
        )
        solutions = self.encode_batch([item.solution for item in found])
        for prompt, solution in zip(prompts, solutions, strict=True):
            self.prompt_lengths.append(len(prompt))
            self.lengths.append(len(prompt) + len(solution) + 1)
            self._spool.write(np.asarray(prompt + solution, dtype=np.uint32).tobytes())

    def tokens(self) -> np.ndarray:
        """All spooled ids, uint32, memory-mapped; document i lacks its end-of-text token here."""
        self._spool.flush()
        if not self.lengths or self._spool.tell() == 0:
            return np.zeros(0, dtype=np.uint32)
        return np.memmap(self._spool, dtype=np.uint32, mode="r")

    def starts(self, documents: int) -> np.ndarray:
        """Where each of the first documents starts in `tokens()`; one more entry for the end."""
        sizes = np.frombuffer(self.lengths, dtype=np.uint32)[:documents].astype(np.int64) - 1
        return np.concatenate([[0], np.cumsum(sizes)])

    def cumulative(self) -> np.ndarray:
        """Tokens in the first 0, 1, 2 ... documents, with their ends."""
        return np.concatenate([[0], np.cumsum(np.frombuffer(self.lengths, dtype=np.uint32), dtype=np.int64)])

    @property
    def note(self) -> str:
        """What was left out, for the plan."""
        dropped = f"{self.dropped} {DROPPED}" if self.dropped else ""
        return ", ".join(part for part in (self.source.note, dropped) if part)

    def fingerprint(self, documents: int) -> str:
        """Hash of the first documents' token ids and bounds."""
        digest = hashlib.sha256(np.frombuffer(self.lengths, dtype=np.uint32)[:documents].tobytes())
        tokens, end = self.tokens(), int(self.starts(documents)[-1])
        for start in range(0, end, 1 << 22):
            digest.update(tokens[start : min(end, start + (1 << 22))].tobytes())
        return digest.hexdigest()[:16]
