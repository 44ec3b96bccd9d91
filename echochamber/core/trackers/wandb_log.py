"""Reading the file of an offline W&B run: records of the library's own protocol, framed as LevelDB logs.

The framing: a header of 7 bytes, then blocks of 32 KiB. A block holds pieces of records, each with CRC-32
(4 bytes), length (2) and type (1), little endian. A block's last bytes that fit no head are zeros.
Source: https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import importlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_BLOCK, _HEAD, _FILE_HEADER = 32768, 7, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def records_of(content: bytes) -> Iterator[bytes]:
    """Whole records in order; what a kill cut at the end is left out."""
    place, parts = _FILE_HEADER, b""
    while place + _HEAD <= len(content):
        if _BLOCK - place % _BLOCK < _HEAD:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        piece = content[place + _HEAD : place + _HEAD + length]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or len(piece) < length:
            return
        parts = piece if kind in (_FULL, _FIRST) else parts + piece
        if kind in (_FULL, _LAST):
            yield parts
        place += _HEAD + length


def steps_of(path: Path) -> dict[int, list[str]]:
    """Step -> names of its figures, in one run's file."""
    protocol = importlib.import_module("wandb.proto.wandb_internal_pb2")
    found: dict[int, list[str]] = {}
    for content in records_of(path.read_bytes()):
        record = protocol.Record()
        record.ParseFromString(content)
        if record.WhichOneof("record_type") == "history":
            names = [item.key or "/".join(item.nested_key) for item in record.history.item]
            found.setdefault(int(record.history.step.num), []).extend(names)
    return found


def last_step_of(paths: Iterable[Path]) -> int | None:
    """Newest step in the files of one run; None without any."""
    return max((step for path in paths for step in steps_of(path)), default=None)
