"""Reads a mixture's token ids: those copied into shards, or those of its sources through an index."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core.errors import UserError
from ..core.files import read_json
from .mixture_index import Pass
from .shards import TokenShards
from .source_tokens import SourceTokens
from .token_stream import TokenStream

ARTIFACT = re.compile(r"tokens-[0-9a-f]{16}")
"""Name of the folder of a source's ids; it lies beside the mixture's."""


def open_tokens(folder: Path) -> TokenStream:
    """The token ids of a finished `shards` artifact."""
    path = folder / "index.json"
    if path.is_file() and "passes" in read_json(path):
        return MixtureTokens(folder)
    return TokenShards(folder)


class _Segment(NamedTuple):
    """The first documents of a part, at one place in the mixture."""

    tokens: np.ndarray
    starts: np.ndarray
    first_document: int
    """Number of its first document in the mixture."""


class MixtureTokens(TokenStream):
    """An index over sources, read as one stream: source after source, pass after pass, part after part."""

    def __init__(self, folder: Path) -> None:
        """Open an index; `UserError` where it has another form, or a source is missing or too small."""
        path = folder / "index.json"
        index = read_json(path)
        self.segments: list[_Segment] = []
        documents = 0
        for source, one in _passes(index, path, folder):
            for _ in range(one.times):
                for part, count in enumerate(one.counts):
                    if count:
                        starts = source.starts(part)[: count + 1]
                        tokens = source.tokens(part)[: int(starts[-1])]
                        self.segments.append(_Segment(tokens, starts, documents))
                        documents += count
        self._ends = list(accumulate(len(segment.tokens) for segment in self.segments))
        self.num_documents, self.num_tokens = documents, self._ends[-1] if self._ends else 0
        if (self.num_tokens, self.num_documents) != (index.get("num_tokens"), index.get("num_documents")):
            raise UserError(f"{path}: its sources hold other numbers of tokens; prepare the mixture again")

    def windows(self, positions: np.ndarray, length: int) -> np.ndarray:
        """See `TokenStream`."""
        found = np.empty((len(positions), length), np.int64)
        for row, start in enumerate(positions.tolist()):
            for segment, inside, place in self._pieces(start, length):
                found[row, place] = segment.tokens[inside]
        return found

    def document_ids(self, positions: np.ndarray, sequence_length: int) -> np.ndarray:
        """See `TokenStream`."""
        found = np.empty((len(positions), sequence_length), np.int64)
        for row, start in enumerate(positions.tolist()):
            for segment, inside, place in self._pieces(start, sequence_length):
                places = np.arange(inside.start, inside.stop)
                number = np.searchsorted(segment.starts, places, side="right") - 1
                found[row, place] = segment.first_document + number
        return found

    def _pieces(self, start: int, length: int) -> Iterator[tuple[_Segment, slice, slice]]:
        """(segment, its tokens, their place in the window) of each piece of a window."""
        filled, number = 0, bisect_right(self._ends, start)
        while filled < length:
            segment = self.segments[number]
            begin = start + filled - (self._ends[number] - len(segment.tokens))
            count = min(length - filled, len(segment.tokens) - begin)
            yield segment, slice(begin, begin + count), slice(filled, filled + count)
            filled, number = filled + count, number + 1


def _passes(index: dict[str, object], path: Path, folder: Path) -> Iterator[tuple[SourceTokens, Pass]]:
    rows = index.get("passes")
    for row in rows if isinstance(rows, list) else []:
        match row:
            case {"artifact": str(name), "passes": [*passes]} if ARTIFACT.fullmatch(name):
                source = SourceTokens(folder.parent / name)
                yield from ((source, _pass(one, source, path)) for one in passes)
            case _:
                raise _not_an_index(path)


def _pass(one: object, source: SourceTokens, path: Path) -> Pass:
    match one:
        case [[*counts], int(times)] if times > 0 and len(counts) == len(source.counts):
            sizes = [documents for documents, _, _ in source.counts]
            numbers = [n for n in counts if type(n) is int]
            if len(numbers) == len(counts) and all(
                0 <= n <= size for n, size in zip(numbers, sizes, strict=True)
            ):
                return Pass(numbers, times)
    raise _not_an_index(path)


def _not_an_index(path: Path) -> UserError:
    return UserError(f"{path}: is not the index of a mixture, or its sources are others; prepare it again")
