"""What a partial artifact held when its state was saved: checked before the stage goes on from there.

`resume/state.json` names the state and the size and SHA-256 of everything in the partial folder. The state is
one file, or a folder to which every rank wrote its part. Logs only grow after that, so of each file the
recorded beginning is compared. Records of older states that are kept are named `record-STEP.json`; they count
where the newest state turns out to be damaged.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
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
    older = {path.name for path in state.parent.glob("record-*.json")}
    skipped = UNCHECKED | _REWRITTEN | {STATE_RECORD, LEGACY_STATE, LEGACY_SHARDED} | older
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

    def sizes(self) -> dict[Path, int]:
        """Size of every file but states: so much of each belongs to a state that is taken now."""
        nothing = self.partial / RESUME_DIR / STATE_RECORD
        return {path: path.stat().st_size for path in _recorded_files(self.partial, nothing)}

    def write(
        self, step: int, sharded: bool = False, keep: int = 1, sizes: Mapping[Path, int] | None = None
    ) -> None:
        """Record the folder as it was after `step`; drop all but the `keep` newest states.

        `sharded`: of states in parts. `sizes`: what `sizes()` gave when the state was taken; None: now.
        """
        folder = self.partial / RESUME_DIR
        state = folder / (sharded_name(step) if sharded else state_name(step))
        sizes = self.sizes() if sizes is None else sizes
        own = {path: path.stat().st_size for path in _recorded_files(self.partial, state)}
        own = {path: size for path, size in own.items() if state in (path, path.parent)}
        files = {
            path.relative_to(self.partial).as_posix(): [size, self._hash(path, size)]
            for path, size in sorted((own | dict(sizes)).items())
        }
        if keep > 1:
            _keep_record(folder)
        write_json(folder / STATE_RECORD, {"step": step, "state": state.name, "files": files})
        kept = {state, *_drop_records(folder, step, keep - 1)}
        for path in [*_states(folder), folder / LEGACY_STATE, folder / LEGACY_SHARDED]:
            if path.is_dir() and path not in kept:
                shutil.rmtree(path)
            elif path not in kept:
                path.unlink(missing_ok=True)

    def _hash(self, path: Path, size: int) -> str:
        key = (str(path), size, path.stat().st_mtime_ns)
        if key not in self._known:
            self._known[key] = hash_beginning(path, size)
        return self._known[key]


def _keep_record(folder: Path) -> None:
    """Keep what the record says under the name of its step."""
    if (folder / STATE_RECORD).is_file():
        record = read_json(folder / STATE_RECORD)
        if type(step := record.get("step")) is int:
            write_json(folder / f"record-{step}.json", record)


def _older_records(folder: Path) -> list[Path]:
    """The newest first."""
    numbered = {path: path.stem.rpartition("-")[2] for path in folder.glob("record-*.json")}
    numbered = {path: number for path, number in numbered.items() if number.isdecimal()}
    return sorted(numbered, key=lambda path: -int(numbered[path]))


def _drop_records(folder: Path, step: int, keep: int) -> list[Path]:
    """Remove all records but the newest ones before `step`; returns the states of these."""
    found = _older_records(folder)
    kept = [path for path in found if step_of(path) < step][: max(keep, 0)]
    for path in set(found) - set(kept):
        path.unlink()
    return [folder / str(read_json(path).get("state")) for path in kept]


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


def mend_resume(partial: Path, say: Callable[[str], None]) -> str | None:
    """`resume_damage`; but where an older state that was kept is sound, go back to it and return None."""
    damage = resume_damage(partial, say)
    for record in _older_records(partial / RESUME_DIR) if damage else ():
        if _damage(partial, record) is None:
            step = step_of(record)
            say(f"damaged: {partial}: {damage}; going on from the older state after step {step}")
            record.replace(partial / RESUME_DIR / STATE_RECORD)
            return None
    return damage


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
    return _damage(partial, record)


def _damage(partial: Path, record: Path) -> str | None:
    """The first file that is not as a record says."""
    try:
        data = read_json(record)
    except UserError:
        return f"{RESUME_DIR}/{record.name} is not JSON"
    files, step = parse_record(data.get("files")), data.get("step")
    if files is None or type(step) is not int or not _holds_state(files, step):
        return f"{RESUME_DIR}/{record.name} is not a record of saved state"
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
