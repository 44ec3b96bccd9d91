"""Storage errors: a full disk, a quota, a file-size limit, a device error.

Libraries report these in their own ways: Rust as `(os error 28)` in a text, torch as an error of its zip
writer raised over the real one. `storage_errno` finds the number in all of them.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

STORAGE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE}
)
"""Errors of storage or of the process's limits: the next stage would meet them too."""
RESERVE_BYTES = 1 << 16
"""Reserved in a study's folder, and freed when the disk is full, so that its state can be written."""


class StorageError(UserError):
    """Something could not be written. Nothing is lost: the same command continues once there is space."""


def storage_errno(error: BaseException) -> int | None:
    """The error number of storage behind an exception; None where storage was not the cause."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        number = getattr(cause, "errno", None)
        if number is None and (told := re.search(r"\(os error (\d+)\)", str(cause))):
            number = int(told[1])
        if number in STORAGE_ERRNOS:
            return int(number)
        cause = cause.__cause__ or cause.__context__
    return None


def free_bytes(folder: Path) -> int | None:
    """Bytes that an ordinary user may still write at a place; None where the system does not say."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def size_text(size: int) -> str:
    """`1.4 GB`, `23.0 MB`, `812 bytes`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def storage_failure(path: Path, number: int, needed: int | None = None) -> StorageError:
    """The error for a path that could not be written, with the free space and how to go on."""
    free = free_bytes(path.parent)
    space = f"; {size_text(free)} are free there" if free is not None and number == errno.ENOSPC else ""
    need = f", about {size_text(needed)} are needed" if needed else ""
    after = {
        errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
        errno.EDQUOT: "free some of your quota",
        errno.EROFS: "choose another folder with --out",
        errno.EMFILE: "raise the limit on open files (ulimit -n)",
    }.get(number, "free some space" if number == errno.ENOSPC else "look at the device")
    verb = "cannot be read or written" if number in (errno.EIO, errno.EMFILE) else "cannot be written"
    return StorageError(
        f"{path}: {verb} ({os.strerror(number)}{space}{need}); {after}, then run the same command "
        "again to continue"
    )


@contextmanager
def storage_errors_named(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn an error of storage inside the block into a `StorageError` about `path`; others pass."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        number = storage_errno(error)
        if number is None:
            raise
        raise storage_failure(path, number, needed) from error


def check_room(folder: Path, needed: int) -> None:
    """`StorageError` where a folder's disk has less free than `needed` bytes."""
    free = free_bytes(folder)
    if free is not None and free < needed:
        raise storage_failure(folder / "...", errno.ENOSPC, needed)


def keep_reserve(path: Path) -> None:
    """Reserve some space at `path`; where the disk has none, nothing happens."""
    try:
        if not path.is_file() or path.stat().st_size < RESERVE_BYTES:
            path.write_bytes(b"\0" * RESERVE_BYTES)
    except OSError:
        path.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
