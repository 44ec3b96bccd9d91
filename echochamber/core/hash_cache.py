"""Digests of large input files, kept from one command to the next.

A digest counts while path, size, times of change and inode are those of when it was taken. The time of the
inode's change (ctime) is set by the system alone, so a file with other content and an old date is read again.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from .checksums import hash_file
from .errors import UserError
from .files import canonical_json, read_json, write_json

FILE = ".hashes.json"
"""In the folder of artifacts, whose own digests are no safer than these."""
SMALLEST = 1 << 20
"""Smaller files are read each time."""
_SETTLED = 2.0
"""Seconds since the last change before a digest is kept: two changes may bear the same time."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class HashCache:
    """SHA-256 of files, read again only where `stat` says that they changed."""

    def __init__(self, folder: Path) -> None:
        """`folder` need not exist; what its record says is checked for form, and taken for missing else."""
        self.path = folder / FILE
        self._known = _read(self.path)

    def hash_file(self, file: Path) -> str:
        """SHA-256 of a file's content; `UserError` where it changes while it is read."""
        before = file.stat()
        if before.st_size < SMALLEST:
            return hash_file(file)
        place, state = str(file.resolve()), _state(before)
        entry = self._known.get(place)
        if entry is not None and entry[:-1] == state:
            return str(entry[-1])
        digest = hash_file(file)
        if _state(file.stat()) != state:
            raise UserError(f"{file}: changed while it was read; wait until it is whole")
        if time.time() - max(before.st_mtime, before.st_ctime) > _SETTLED and self.path.parent.is_dir():
            self._known[place] = [*state, digest]
            write_json(self.path, self._known, durable=False)
        return digest

    def hash_path(self, path: Path) -> str:
        """What `core.artifacts.hash_path` gives, of a file or of all files under a folder."""
        if path.is_file():
            return self.hash_file(path)
        return self.hash_files(sorted(file for file in path.rglob("*") if file.is_file()), path)

    def hash_files(self, files: Iterable[Path], folder: Path) -> str:
        """Of files with their names relative to a folder."""
        pairs = [[str(file.relative_to(folder)), self.hash_file(file)] for file in files]
        return hashlib.sha256(canonical_json(pairs).encode()).hexdigest()


def forget_hashes(folder: Path) -> None:
    """Read every input file anew, as `study --verify` does."""
    (folder / FILE).unlink(missing_ok=True)


def _state(status: os.stat_result) -> list[int | str]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(path: Path) -> dict[str, list[int | str]]:
    if not path.is_file():
        return {}
    try:
        data = read_json(path)
    except UserError:
        return {}
    return {place: entry for place, entry in data.items() if _is_entry(entry)}


def _is_entry(entry: object) -> bool:
    match entry:
        case [int(), int(), int(), int(), str(digest)]:
            return _DIGEST.fullmatch(digest) is not None
    return False
