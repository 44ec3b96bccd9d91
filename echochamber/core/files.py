"""Whole files: folders, text and JSON written under another name and renamed, and read with clear errors."""

import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import UserError
from .storage import storage_errno, storage_failure

_TEMPORARY = ".tmp"


def canonical_json(data: object) -> str:
    """JSON with sorted keys and no spaces: the text that is hashed."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left in a folder that this process alone writes to."""
    for cut in folder.rglob(f"*{_TEMPORARY}"):
        cut.unlink(missing_ok=True)


def remove_old_temporary(folder: Path, age: float = 3600.0) -> None:
    """Remove what writers killed over `age` seconds ago left in a folder that others may write to."""
    for cut in folder.glob(f".*{_TEMPORARY}"):
        with suppress(OSError):
            if time.time() - cut.stat().st_mtime > age:
                cut.unlink()


def make_folder(path: Path) -> Path:
    """Create a folder with its parents; `UserError` that names it when that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if (number := storage_errno(error)) is not None:
            raise storage_failure(path, number) from None
        raise UserError(
            f"{path}: folder cannot be written ({error.strerror or error}); choose another with --out"
        ) from None
    return path


def is_stream(path: Path) -> bool:
    """True for a device, a pipe or a socket: written to, never renamed over."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def write_target(path: Path) -> Path:
    """The file that a rename may replace: the one that a link points to. `UserError` for a folder."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected the name of a file to write")
    return path.resolve() if path.is_symlink() else path


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Write a whole file or nothing: temporary name, flush to disk, rename. A device is written to.

    `durable=False`: whole for every reader, but a power cut may lose it; for what holds times alone.
    """
    path = write_target(path)
    if is_stream(path):
        with path.open("w", encoding="utf-8") as stream:
            stream.write(text)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if (number := storage_errno(error)) is not None:
            raise storage_failure(path, number) from None
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file that somebody else may have written; `UserError` names what is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits; nesting without end
        raise UserError(f"{path}: is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds {type(data).__name__}, expected a mapping of keys to values")
    return data


def write_json(path: Path, data: object, durable: bool = True) -> None:
    """`write_text` of indented JSON with sorted keys; NaN is refused."""
    write_text(path, json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n", durable)
