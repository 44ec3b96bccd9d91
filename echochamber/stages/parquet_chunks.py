"""Tables written piece by piece: a kill loses at most one piece, and memory holds one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

ROW_GROUP = 4096
"""Rows that a reader of a joined table must hold at once."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of one table in a resume folder, each there whole or not at all."""

    folder: Path
    name: str
    count: int

    def path(self, index: int) -> Path:
        """Where piece `index` is, once it is there."""
        return self.folder / f"{self.name}_{index:06d}.parquet"

    @property
    def paths(self) -> list[Path]:
        """All pieces in order."""
        return [self.path(index) for index in range(self.count)]

    @property
    def missing(self) -> list[int]:
        """Pieces that are not there yet."""
        return [index for index in range(self.count) if not self.path(index).is_file()]

    def write(self, index: int, table: pl.DataFrame) -> None:
        """Write one piece under another name, then rename."""
        temporary = self.path(index).with_suffix(".tmp")
        table.write_parquet(temporary)
        temporary.replace(self.path(index))


def join_pieces(paths: Sequence[Path], target: Path, last: str = "style_") -> None:
    """One Parquet file of all pieces in order, streamed in row groups.

    Columns are those of any piece, null where a piece lacks one; columns that start with `last`
    are sorted and put behind the others.
    """
    schema: dict[str, Any] = {}
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
