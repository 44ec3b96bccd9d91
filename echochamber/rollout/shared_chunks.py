"""Chunks of tables that several ranks write: which are missing, and when all are there."""

import time
from collections.abc import Sequence

from ..core.errors import UserError
from ..core.parquet_chunks import ParquetChunks
from ..model.ranks import Ranks

VISIBLE_SECONDS = 120.0
"""How long a chunk of another machine may take to appear here: network disks remember what was missing."""


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
