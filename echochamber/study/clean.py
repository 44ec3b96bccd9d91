"""What a study's folder holds that its `study.json` does not name."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from ..analysis.study_folder import load_study
from ..core.errors import UserError
from .stage_task import LAUNCH_FILES

TEMPORARY_AGE = 600.0
"""Seconds after which a temporary file counts as left by a kill."""


class Unreferenced(NamedTuple):
    """One file or folder that nothing needs."""

    path: Path
    why: str
    size: int
    """Bytes."""


def unreferenced(folder: Path) -> list[Unreferenced]:
    """Everything under a study's folder that may go; `UserError` where there is no study."""
    named = {node.name for node in _node_folders(folder)}
    return sorted(
        (Unreferenced(path, why, _size(path)) for path, why in _found(folder, named)),
        key=lambda one: (one.why, one.path),
    )


def _node_folders(folder: Path) -> list[Path]:
    return [Path(node.artifact) for node in load_study(folder).nodes]


def _found(folder: Path, named: set[str]) -> Iterator[tuple[Path, str]]:
    artifacts = folder / "artifacts"
    for path in _entries(artifacts / ".damaged"):
        yield path, "damaged, set aside"
    for path in _entries(artifacts):
        if path.is_dir() and not path.name.startswith(".") and path.name not in named:
            yield path, "artifact of other settings"
    for path in _entries(artifacts / ".partial"):
        stem = path.name.removesuffix(".progress").removesuffix(".lock").removesuffix(LAUNCH_FILES)
        done = (artifacts / stem / "manifest.json").is_file()
        if path.name.startswith("traceback-"):
            yield path, "saved traceback"
        elif not _is_held(artifacts / ".partial" / f"{stem}.lock"):
            if path.is_dir() and (done or stem not in named):
                yield path, "unfinished, of other settings"
            elif path.suffix in (".lock", ".progress") and (done or stem not in named):
                yield path, "lock or progress of no stage"
    for path in folder.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > TEMPORARY_AGE:
            yield path, "left by a killed writer"


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_held(lock: Path) -> bool:
    """Whether a running process holds an artifact's lock."""
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def remove_unreferenced(found: list[Unreferenced]) -> int:
    """Remove them; returns how many. `UserError` names the first that cannot be."""
    for one in found:
        try:
            if one.path.is_dir() and not one.path.is_symlink():
                shutil.rmtree(one.path)
            else:
                one.path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{one.path}: cannot be removed ({error.strerror or error})") from None
    return len(found)
