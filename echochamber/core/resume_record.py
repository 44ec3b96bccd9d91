"""What a partial artifact held when its state was saved: checked before the stage goes on from there.

`resume/state.json` names the state file and the size and SHA-256 of everything in the partial folder.
Logs only grow after that, so of each file the recorded beginning is compared.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from .checksums import UNCHECKED, parse_record
from .errors import UserError
from .files import read_json, write_json

RESUME_DIR = "resume"
"""Folder inside a partial artifact that holds resume state; removed before publishing."""
STATE_RECORD = "state.json"
LEGACY_STATE = "state.pt"
"""The one state file of versions before 0.2, which had no record."""
_REWRITTEN = frozenset({"fallback.json"})
"""Sizes that fit into memory: not a log, and no payload."""


def state_name(step: int) -> str:
    """File of the state after `step`."""
    return f"state-{step}.pt"


def _recorded_files(partial: Path) -> list[Path]:
    skipped = UNCHECKED | _REWRITTEN | {STATE_RECORD, LEGACY_STATE}
    found = (path for path in partial.rglob("*") if path.is_file() and path.name not in skipped)
    return sorted(path for path in found if not path.name.startswith(".") and path.suffix != ".tmp")


class ResumeRecord:
    """Writes the record; a file that has not changed since it was last recorded is not hashed again."""

    def __init__(self, partial: Path) -> None:
        self.partial = partial
        self._known: dict[tuple[str, int, int], str] = {}

    def write(self, step: int) -> None:
        """Record the folder as it is after `step`, then drop older states."""
        state = state_name(step)
        states = self.partial / RESUME_DIR
        old = [path for path in states.glob("state-*.pt") if path.name != state]
        files = {
            path.relative_to(self.partial).as_posix(): [path.stat().st_size, self._hash(path)]
            for path in _recorded_files(self.partial)
            if path not in old
        }
        write_json(states / STATE_RECORD, {"step": step, "state": state, "files": files})
        for path in [*old, states / LEGACY_STATE]:
            path.unlink(missing_ok=True)

    def _hash(self, path: Path) -> str:
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = hash_beginning(path, status.st_size)
        return self._known[key]


def hash_beginning(path: Path, size: int) -> str:
    """SHA-256 of a file's first `size` bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while size > 0 and (piece := stream.read(min(size, 1 << 20))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()


def saved_state(partial: Path) -> Path | None:
    """The state file that the record names, else that of an earlier version; None where there is none."""
    folder = partial / RESUME_DIR
    if (folder / STATE_RECORD).is_file():
        named = folder / state_name(int(read_json(folder / STATE_RECORD).get("step", -1)))
        return named if named.is_file() else None
    return folder / LEGACY_STATE if (folder / LEGACY_STATE).is_file() else None


def resume_damage(partial: Path, say: Callable[[str], None]) -> str | None:
    """The first file of a partial artifact that is not as it was when its state was saved, in words.

    None where all are, or nothing was saved. `say` is told of state from before checksums.
    """
    folder = partial / RESUME_DIR
    record = folder / STATE_RECORD
    if not record.is_file():
        if (folder / LEGACY_STATE).is_file():
            say(f"unverified: {folder / LEGACY_STATE} was written before checksums")
        return None
    try:
        data = read_json(record)
    except UserError:
        return f"{RESUME_DIR}/{STATE_RECORD} is not JSON"
    files, step = parse_record(data.get("files")), data.get("step")
    if files is None or type(step) is not int or f"{RESUME_DIR}/{state_name(step)}" not in files:
        return f"{RESUME_DIR}/{STATE_RECORD} is not a record of saved state"
    for name, (size, digest) in files.items():
        path = partial / name
        try:
            if path.stat().st_size < size or hash_beginning(path, size) != digest:
                return f"{name} is not as it was when the state was saved"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror or error})"
    return None
