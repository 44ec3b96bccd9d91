"""What a partial artifact held when its state was saved: checked before the stage goes on from there.

`resume/state.json` names the state and the size and SHA-256 of everything in the partial folder. The state is
one file, or a folder to which every rank wrote its part. Logs only grow after that, so of each file the
recorded beginning is compared.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from .checksums import UNCHECKED, Recorded, parse_record
from .errors import UserError
from .files import read_json, write_json

RESUME_DIR = "resume"
"""Folder inside a partial artifact that holds resume state; removed before publishing."""
STATE_RECORD = "state.json"
LEGACY_STATE = "state.pt"
"""The one state file of versions before 0.2, which had no record."""
LEGACY_SHARDED = "sharded.json"
"""In these versions it named the step of a state in parts."""
_REWRITTEN = frozenset({"fallback.json"})
"""Sizes that fit into memory: not a log, and no payload."""


def state_name(step: int) -> str:
    """File of the state after `step`."""
    return f"state-{step}.pt"


def sharded_name(step: int) -> str:
    """Folder of the state after `step` in parts."""
    return f"sharded-{step}"


def step_of(state: Path) -> int:
    """The step in the name of a state of this version."""
    return int(state.stem.rpartition("-")[2])


def _recorded_files(partial: Path, state: Path) -> list[Path]:
    """Everything but other states, times and what writers left; hidden files only of a state in parts."""
    skipped = UNCHECKED | _REWRITTEN | {STATE_RECORD, LEGACY_STATE, LEGACY_SHARDED}
    others = [path for path in _states(state.parent) if path != state]
    found = (path for path in partial.rglob("*") if path.is_file() and path.name not in skipped)
    found = (path for path in found if not {path, path.parent} & set(others) and path.suffix != ".tmp")
    return sorted(path for path in found if path.parent == state or not path.name.startswith("."))


def _states(folder: Path) -> list[Path]:
    return [*folder.glob("state-*.pt"), *folder.glob("sharded-*")]


class ResumeRecord:
    """Writes the record; a file that has not changed since it was last recorded is not hashed again."""

    def __init__(self, partial: Path) -> None:
        self.partial = partial
        self._known: dict[tuple[str, int, int], str] = {}

    def write(self, step: int, sharded: bool = False) -> None:
        """Record the folder as it is after `step`, then drop older states; `sharded`: of states in parts."""
        folder = self.partial / RESUME_DIR
        state = folder / (sharded_name(step) if sharded else state_name(step))
        files = {
            path.relative_to(self.partial).as_posix(): [path.stat().st_size, self._hash(path)]
            for path in _recorded_files(self.partial, state)
        }
        write_json(folder / STATE_RECORD, {"step": step, "state": state.name, "files": files})
        for path in [*_states(folder), folder / LEGACY_STATE, folder / LEGACY_SHARDED]:
            if path.is_dir() and path != state:
                shutil.rmtree(path)
            elif path != state:
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
    """The state that the record names, else that of an earlier version; None where there is none."""
    folder = partial / RESUME_DIR
    if (folder / STATE_RECORD).is_file():
        record = read_json(folder / STATE_RECORD)
        step = int(record.get("step", -1))
        sharded = record.get("state") == sharded_name(step)
        named = folder / (sharded_name(step) if sharded else state_name(step))
        return named if named.exists() else None
    return _legacy_state(folder)


def _legacy_state(folder: Path) -> Path | None:
    if (folder / LEGACY_SHARDED).is_file():
        named = folder / sharded_name(int(read_json(folder / LEGACY_SHARDED).get("step", -1)))
        return named if named.is_dir() else None
    return folder / LEGACY_STATE if (folder / LEGACY_STATE).is_file() else None


def resume_damage(partial: Path, say: Callable[[str], None]) -> str | None:
    """The first file of a partial artifact that is not as it was when its state was saved, in words.

    None where all are, or nothing was saved. `say` is told of state from before checksums.
    """
    folder = partial / RESUME_DIR
    record = folder / STATE_RECORD
    if not record.is_file():
        if (legacy := _legacy_state(folder)) is not None:
            say(f"unverified: {legacy} was written before checksums")
        return None
    try:
        data = read_json(record)
    except UserError:
        return f"{RESUME_DIR}/{STATE_RECORD} is not JSON"
    files, step = parse_record(data.get("files")), data.get("step")
    if files is None or type(step) is not int or not _holds_state(files, step):
        return f"{RESUME_DIR}/{STATE_RECORD} is not a record of saved state"
    for name, (size, digest) in files.items():
        path = partial / name
        try:
            if path.stat().st_size < size or hash_beginning(path, size) != digest:
                return f"{name} is not as it was when the state was saved"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror or error})"
    return None


def _holds_state(files: Recorded, step: int) -> bool:
    """Whether the recorded files are those of a state after `step`."""
    parts = f"{RESUME_DIR}/{sharded_name(step)}/"
    return f"{RESUME_DIR}/{state_name(step)}" in files or any(name.startswith(parts) for name in files)
