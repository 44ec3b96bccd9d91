"""Checksums of an artifact's payload: written once into its manifest, compared when it is read.

SHA-256 of `hashlib`: 1.4 GB/s on a core with SHA instructions, so a checkpoint of nano-3m costs 10 ms.
Inputs and code are hashed the same way. A faster hash would save less than a stage's start and add a
dependency.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from .errors import UserError

UNCHECKED = frozenset({"manifest.json", "sittings.json", "timing.jsonl"})
"""Files that hold times, or the checksums themselves: no payload."""
Recorded = Mapping[str, tuple[int, str]]
"""Path inside the artifact -> (bytes, SHA-256)."""
Signature = tuple[tuple[str, int, int, int], ...]
"""(path, bytes, modification time in ns, inode) of every payload file."""


class DamagedArtifact(UserError):
    """An artifact whose files are not those that its manifest lists."""


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def payload_files(folder: Path) -> list[str]:
    """Relative paths of all payload files, sorted."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in UNCHECKED)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def record_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Path -> (bytes, SHA-256) of every payload file, as it goes into the manifest."""
    return {
        name: ((folder / name).stat().st_size, hash_file(folder / name)) for name in payload_files(folder)
    }


def parse_record(data: object) -> Recorded | None:
    """What `record_files` gave, from JSON; None where `data` has another form."""
    if not isinstance(data, dict):
        return None
    record: dict[str, tuple[int, str]] = {}
    for name, entry in data.items():
        match entry:
            case [int(size), str(digest)]:
                record[name] = (size, digest)
            case _:
                return None
    return record


def find_damage(folder: Path, recorded: Recorded, content: bool) -> str | None:
    """The first file that is not as recorded, with what is wrong; None where all are.

    `content`: compare digests too; else only that every file is there with its size.
    """
    for name, (size, digest) in recorded.items():
        path = folder / name
        try:
            found = path.stat().st_size
            if found != size:
                return f"{name} has {found:,} bytes, its manifest says {size:,}"
            if content and hash_file(path) != digest:
                return f"{name} has another SHA-256 than its manifest says"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror or error})"
    return None


def signature(folder: Path, recorded: Recorded) -> Signature:
    """What `stat` says of every recorded file; changes where one is written to or replaced."""
    found = []
    for name in recorded:
        status = (folder / name).stat()
        found.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)
