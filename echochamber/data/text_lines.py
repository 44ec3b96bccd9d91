"""Lines of text files, plain or compressed, in bounded memory: what stands in a file is not trusted."""

import gzip
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..core.errors import UserError

MOST_LINE_BYTES = 1 << 26
"""A longer line is no row: one line without end would fill the memory."""
_CHUNK = 1 << 20
_ZST_CHUNK = 1 << 12
"""Compressed bytes at a time. A block of zstandard can grow 32,000 times, so these give 128 MiB at most."""


def lines_of(file: Path) -> Iterator[bytes | None]:
    """The lines of a file without their ends; None for one over `MOST_LINE_BYTES`.

    By its name a file is compressed with gzip (`.gz`) or zstandard (`.zst`, extra `[hub]`). One that ends too
    early is an `EOFError`, damaged bytes an `OSError` or `zlib.error`.
    """
    with file.open("rb") as stream:
        if file.suffix == ".zst":
            yield from split_lines(_zst_chunks(stream))
        elif file.suffix == ".gz":
            with gzip.open(stream, "rb") as unpacked:
                yield from split_lines(iter(lambda: unpacked.read(_CHUNK), b""))
        else:
            yield from split_lines(iter(lambda: stream.read(_CHUNK), b""))


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Lines of text that comes in chunks.

    >>> list(split_lines([b"one\\ntw", b"o", b"\\n\\nthree"]))
    [b'one', b'two', b'', b'three']
    """
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        size += len(first)
        if size <= MOST_LINE_BYTES:
            held.append(first)
        else:
            held.clear()
        if rest:
            yield b"".join(held) if size <= MOST_LINE_BYTES else None
            large = len(chunk) > MOST_LINE_BYTES
            yield from (None if large and len(line) > MOST_LINE_BYTES else line for line in rest[:-1])
            held, size = [rest[-1]], len(rest[-1])
    if size:
        yield b"".join(held) if size <= MOST_LINE_BYTES else None


def _zst_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """What a zstandard file holds, frame after frame.

    Not by the library's own reader: it takes a file that was cut off for a whole one.
    """
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise UserError(
            "files in .zst need the package zstandard; pip install 'echochamber[hub]', or unpack them"
        ) from None
    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
    try:
        while block := stream.read(_ZST_CHUNK):
            while block:
                begun = True
                yield frame.decompress(block)
                if not frame.eof:
                    break
                block = frame.unused_data
                frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
    except zstandard.ZstdError as error:
        raise OSError(f"is not zstandard data: {error}") from None
    if begun:
        raise EOFError("ends in the middle of its compressed data")
