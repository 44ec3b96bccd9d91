"""Tables written in chunks: a kill loses at most one chunk, and memory holds one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .checksums import hash_file
from .files import write_text

ROW_GROUP = 4096
"""Rows that a reader of a joined table must hold at once."""


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
