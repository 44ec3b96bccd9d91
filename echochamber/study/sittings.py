"""How long was worked on an artifact: its sittings, each from a start to an end or a cut."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.files import write_text

SITTINGS = "sittings.json"
Sitting = tuple[float, float | None]
"""(start, end) in seconds since the epoch; an end of None: it was cut or still goes on."""


@contextmanager
def sitting(partial: Path) -> Iterator[None]:
    """Time the work on a partial artifact; a cut sitting is closed by the next one."""
    start_sitting(partial, time.time())
    yield
    end_sittings(partial, time.time())


def start_sitting(partial: Path, now: float) -> None:
    """Note in a partial artifact that work on it starts, closing an earlier sitting that was cut.

    A killed sitting leaves no end behind; the newest file of the folder says when it last did something.
    """
    earlier = _read_sittings(partial)
    newest = max((path.stat().st_mtime for path in partial.rglob("*") if path.is_file()), default=now)
    closed = [[start, end if end is not None else max(start, newest)] for start, end in earlier]
    write_text(partial / SITTINGS, json.dumps([*closed, [now, None]]) + "\n", durable=False)


def end_sittings(partial: Path, now: float) -> None:
    """Close the last sitting; the file stays in the artifact as its wall time."""
    sittings = _read_sittings(partial) or [(now, None)]
    sittings[-1] = (sittings[-1][0], now)
    write_text(partial / SITTINGS, json.dumps(sittings) + "\n", durable=False)


def read_seconds(folder: Path) -> float | None:
    """Wall seconds of a finished artifact over all its sittings."""
    sittings = _read_sittings(folder)
    return round(sum(end - start for start, end in sittings if end is not None), 2) if sittings else None


def _read_sittings(folder: Path) -> list[Sitting]:
    """The recorded sittings; none where the file is missing or damaged, for it holds times alone."""
    try:
        found = json.loads((folder / SITTINGS).read_text(encoding="utf-8"))
        return [(float(start), end if end is None else float(end)) for start, end in found]
    except (OSError, ValueError, TypeError, RecursionError, OverflowError):
        return []
