"""Tables written in chunks: a kill loses at most one chunk, and memory holds one at a time.

Several ranks may each write some of the chunks. Their bounds do not depend on who writes them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..core.checksums import hash_file
from ..core.errors import UserError
from ..core.files import write_text
from ..model.ranks import Ranks

ROW_GROUP = 4096
"""Rows that a reader of a joined table must hold at once."""
VISIBLE_SECONDS = 120.0
"""How long a chunk of another machine may take to appear here: network disks remember what was missing."""


@dataclass(frozen=True)
class ParquetChunks:
    """The chunks of one table in a resume folder. A chunk is there whole or not at all.

    Its SHA-256 lies beside it; a chunk that does not have it is missing.
    """

    folder: Path
    name: str
    count: int

    def path(self, index: int) -> Path:
        """The file of chunk `index`."""
        return self.folder / f"{self.name}_{index:06d}.parquet"

    @property
    def paths(self) -> list[Path]:
        """The files of all chunks, in order."""
        return [self.path(index) for index in range(self.count)]

    @property
    def missing(self) -> list[int]:
        """Indices of the chunks that are not written yet."""
        return [index for index in range(self.count) if not self._is_whole(index)]

    def digest_path(self, index: int) -> Path:
        """The file of a chunk's SHA-256."""
        return self.path(index).with_suffix(".sha256")

    def _is_whole(self, index: int) -> bool:
        try:
            return self.digest_path(index).read_text(encoding="ascii") == hash_file(self.path(index))
        except (OSError, ValueError):
            return False

    def write(self, index: int, table: pl.DataFrame) -> None:
        """Write one chunk, under another name until it is complete."""
        temporary = self.path(index).with_suffix(".tmp")
        table.write_parquet(temporary)
        write_text(self.digest_path(index), hash_file(temporary))
        temporary.replace(self.path(index))


def missing_chunks(tables: Sequence[ParquetChunks], ranks: Ranks) -> list[tuple[int, int]]:
    """(table, chunk) of all chunks that are not written yet, as rank 0 finds them."""
    found = [(number, index) for number, table in enumerate(tables) for index in table.missing]
    return [(number, index) for number, index in ranks.from_main(found)]


def meet_with_chunks(tables: Sequence[ParquetChunks], ranks: Ranks) -> None:
    """Return once every rank has written its chunks, and rank 0 sees them.

    `UserError` where a chunk does not appear, as on a disk that the machines do not share.
    """
    ranks.meet()
    end = time.monotonic() + VISIBLE_SECONDS
    for path in (path for table in tables for path in table.paths if ranks.is_main):
        while not path.is_file():
            if time.monotonic() > end:
                raise UserError(
                    f"{path}: another rank wrote it, but it is not here; ranks must share the folder"
                )
            time.sleep(0.5)


def join_chunks(paths: Sequence[Path], target: Path, last: str = "style_") -> None:
    """Join all chunks in order into one Parquet file, streamed in row groups.

    The table has the columns of every chunk, null where a chunk lacks one. Columns that start with `last`
    are sorted and come last.
    """
    schema: dict[str, pl.DataType] = {}
    for path in paths:
        schema |= pl.read_parquet_schema(path)
    columns = [name for name in schema if not name.startswith(last)]
    columns += sorted(name for name in schema if name.startswith(last))
    scans = []
    for path in paths:
        found = pl.read_parquet_schema(path)
        absent = [pl.lit(None, dtype=schema[name]).alias(name) for name in columns if name not in found]
        scans.append(pl.scan_parquet(path).with_columns(absent).select(columns))
    pl.concat(scans).sink_parquet(target, row_group_size=ROW_GROUP, maintain_order=True)
