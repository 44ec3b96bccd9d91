"""A source of real rows as token ids: made once for all mixtures, by worker processes, file by file.

index.json        sizes of all parts, overlaps with problem sets, what was left out
questions.json    a sample of questions and solutions
parts/            one part for each input file (see `token_parts`)

A part that is finished stays when the run is killed. The bytes do not depend on how many workers there are.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.progress import progress_bar, say
from ..core.types import Problem
from .contamination import ContaminationChecker, refuse_contaminated
from .document_pool import DROPPED, EncodeBatch
from .file_workers import written
from .hub import THE_HUB, HubConfig
from .local_sources import RowSource
from .part_overlaps import merged_overlaps
from .part_writer import PartJob, write_part
from .source_config import SourceConfig
from .source_files import SourceFile, at_hand, source_files
from .sources import Document
from .token_parts import TokenPart, read_part
from .token_stream import map_file
from .training_questions import TRAIN_QUESTIONS

INDEX, QUESTIONS, PARTS, DOWNLOADS = "index.json", "questions.json", "parts", "downloads"


@dataclass(frozen=True)
class TokenSource:
    """What a source's token ids are made of."""

    name: str
    config: SourceConfig
    suffix: str
    """Text between question and solution."""
    eos_id: int
    vocab_size: int
    threshold: float = 1.0
    """Share of a problem set above which reading ends with an error; no part of the bytes."""
    hub: HubConfig = THE_HUB
    drop: bool = False
    """Leave out documents that hold a problem of a set, instead of ending with an error."""

    @property
    def dtype(self) -> str:
        """Of the ids on disk."""
        return "uint16" if self.vocab_size <= 1 << 16 else "uint32"


@dataclass
class _Worker:
    """What a worker process holds from file to file."""

    source: TokenSource
    encode: EncodeBatch
    checker: ContaminationChecker
    folder: Path
    parts: int

    def write(self, number: int, file: SourceFile) -> None:
        """Write one part."""
        source = self.source
        # A few times its share of the sample, so that files of unlike sizes do not distort it.
        questions = min(TRAIN_QUESTIONS, 50 + 4 * TRAIN_QUESTIONS // self.parts)
        job = PartJob(
            number,
            file.name,
            source.name,
            source.suffix,
            source.eos_id,
            source.dtype,
            questions,
            source.threshold,
            source.drop,
        )
        place = None
        if file.path is None:
            assert source.config.hub is not None
            place = source.hub.place(source.config.hub, source.config.revision)
        downloads = self.folder / DOWNLOADS / f"{number:05d}"
        with at_hand(file, place, downloads) as path:
            rows = RowSource(source.name, source.config, source.hub)
            write_part(job, path, rows, self.encode, self.checker.fresh(), self.folder / PARTS)


def tokenize_source(
    source: TokenSource,
    start: Callable[[], EncodeBatch],
    against: Mapping[str, Sequence[Problem]],
    folder: Path,
    workers: int = 1,
) -> None:
    """Write the token ids of a source into `folder`, going on where an earlier run was killed.

    `start` gives the encode function, in every worker process anew. `against` holds the evaluation sets that
    the source is searched for.
    """
    files = source_files(source.name, source.config, source.hub)
    make_folder(folder / PARTS)
    done: dict[int, TokenPart] = {}
    for number, file in enumerate(files):
        part = read_part(folder / PARTS, number, file.name, content=True)
        if part is not None:
            done[number] = part
    if done:
        say(f"{source.name}: {len(done)} of {len(files)} files were tokenized before")
    todo = sorted(set(range(len(files))) - set(done), key=lambda number: -files[number].size)
    worker = partial(_make_worker, source, start, dict(against), folder, len(files))
    total, before = sum(file.size for file in files), sum(files[number].size for number in done)
    with progress_bar(f"tokenize {source.name}", total, before, "bytes") as bar:
        for number in written(source.name, worker, files, todo, workers):
            part = read_part(folder / PARTS, number, files[number].name)
            assert part is not None, "a part that was just written"
            done[number] = part
            if not source.drop:
                overlaps = merged_overlaps(part.overlaps for part in done.values())
                refuse_contaminated(source.name, overlaps, source.threshold, whole=len(done) == len(files))
            bar.advance(files[number].size)
    _write_index(source, [done[number] for number in range(len(files))], folder)
    shutil.rmtree(folder / DOWNLOADS, ignore_errors=True)


def _make_worker(
    source: TokenSource,
    start: Callable[[], EncodeBatch],
    against: dict[str, Sequence[Problem]],
    folder: Path,
    parts: int,
) -> _Worker:
    return _Worker(source, start(), ContaminationChecker(against), folder, parts)


def _write_index(source: TokenSource, parts: list[TokenPart], folder: Path) -> None:
    kept = sorted(question for part in parts for question in part.questions)[:TRAIN_QUESTIONS]
    write_json(folder / QUESTIONS, {"questions": [[item.question, item.solution] for item in kept]})
    left_out = {
        "rows filtered": sum(part.filtered for part in parts),
        "bad rows skipped": sum(part.skipped for part in parts),
        DROPPED: sum(part.dropped for part in parts),
    }
    index = {
        "dtype": source.dtype,
        "eos_id": source.eos_id,
        "vocab_size": source.vocab_size,
        "parts": [[part.documents, part.tokens, part.prompt_tokens] for part in parts],
        "note": ", ".join(f"{count} {what}" for what, count in left_out.items() if count),
        "contamination": [
            overlap.to_json(source.drop) for overlap in merged_overlaps(part.overlaps for part in parts)
        ],
    }
    write_json(folder / INDEX, index)


class SourceTokens:
    """The token ids of a source, memory-mapped part by part."""

    def __init__(self, folder: Path) -> None:
        """Open a finished artifact; `UserError` where its index has another form or a file another size."""
        index = read_json(folder / INDEX)
        self.folder = folder
        self.dtype, self.eos_id, self.vocab_size, self.counts = _checked(index, folder / INDEX)
        self.note = str(index.get("note", ""))
        found = index.get("contamination")
        self.contamination: list[dict[str, object]] = found if isinstance(found, list) else []
        self._open: dict[tuple[int, str], np.ndarray] = {}

    @property
    def num_documents(self) -> int:
        """Of all parts."""
        return sum(documents for documents, _, _ in self.counts)

    @property
    def num_tokens(self) -> int:
        """Of all parts, ends included."""
        return sum(tokens for _, tokens, _ in self.counts)

    @property
    def num_prompt_tokens(self) -> int:
        """Of all parts."""
        return sum(prompts for _, _, prompts in self.counts)

    def tokens(self, part: int) -> np.ndarray:
        """The ids of a part."""
        return self._mapped(part, "tokens", self.dtype, self.counts[part][1])

    def starts(self, part: int) -> np.ndarray:
        """Where each document of a part starts, and its end."""
        return self._mapped(part, "starts", "int64", self.counts[part][0] + 1)

    def prompts(self, part: int) -> np.ndarray:
        """Prompt tokens of each document of a part."""
        return self._mapped(part, "prompts", "uint32", self.counts[part][0])

    def questions(self) -> list[Document]:
        """The sample of questions with their solutions."""
        rows = read_json(self.folder / QUESTIONS).get("questions")
        return [
            Document(row[0], row[1])
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, list) and len(row) == 2 and all(isinstance(text, str) for text in row)
        ]

    def _mapped(self, part: int, kind: str, dtype: str, count: int) -> np.ndarray:
        if (part, kind) not in self._open:
            self._open[part, kind] = map_file(self.folder / PARTS / f"{part:05d}.{kind}", dtype, count)
        return self._open[part, kind]


def _checked(index: dict[str, object], path: Path) -> tuple[str, int, int, list[tuple[int, int, int]]]:
    """dtype, end-of-text, vocabulary and sizes of the parts."""
    match index:
        case {
            "dtype": "uint16" | "uint32" as dtype,
            "eos_id": int(eos),
            "vocab_size": int(size),
            "parts": [*rows],
        }:
            counts = [tuple(row) for row in rows if isinstance(row, list) and len(row) == 3]
            if len(counts) == len(rows) and all(type(n) is int and n >= 0 for row in counts for n in row):
                return str(dtype), eos, size, [(row[0], row[1], row[2]) for row in counts]
    raise UserError(f"{path}: is not the index of a source's token ids; prepare the source again")
