"""Content-keyed artifact folders: written under a temporary name, published by one rename.

    artifacts/KIND-FINGERPRINT/            complete: has manifest.json
    artifacts/.partial/KIND-FINGERPRINT/   being written, under a lock, with its resume state

A fingerprint hashes the stage's own config, its version, its parents' fingerprints and the content
of its input files. What has no complete manifest does not exist for other stages.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import UserError
from .version import __version__

_TEMPORARY = ".tmp"
RESUME_DIR = "resume"
"""Folder inside a partial artifact that holds resume state; removed before publishing."""
_LIBRARIES = ("torch", "numpy", "polars", "tokenizers", "pydantic-monty")


@dataclass(frozen=True)
class Spec:
    """What an artifact is made from; equal specs have equal fingerprints."""

    kind: str
    config: Mapping[str, object]
    version: int
    """The stage's VERSION, raised with any change that changes its output."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Role -> fingerprint: `{"tokenizer": "3fa9c1..."}`."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Input name -> SHA-256 of its content."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits; stable across machines and key order."""
        body = [self.kind, dict(self.config), self.version, dict(self.parents), dict(self.inputs)]
        return hashlib.sha256(canonical_json(body).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Folder name: KIND-FINGERPRINT."""
        return f"{self.kind}-{self.fingerprint}"


def canonical_json(data: object) -> str:
    """JSON with sorted keys and no spaces: the text that is hashed."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def hash_path(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files under a folder."""
    if path.is_file():
        return hash_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return hashlib.sha256(
        canonical_json([[str(file.relative_to(path)), hash_file(file)] for file in files]).encode()
    ).hexdigest()


class Store:
    """All artifacts of one study, in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.partial_root = root / ".partial"

    def path(self, spec: Spec) -> Path:
        """Where the published artifact is or will be."""
        return self.root / spec.name

    def has(self, spec: Spec) -> bool:
        """True when the artifact is complete."""
        return (self.path(spec) / "manifest.json").is_file()

    def partial(self, spec: Spec) -> Path:
        """Where the artifact is built before it is published."""
        return self.partial_root / spec.name

    def build(
        self,
        spec: Spec,
        write: Callable[[Path], None],
        seeds: Mapping[str, int] | None = None,
        patience: float = 0.0,
    ) -> Path:
        """The artifact's folder, built first where there is none.

        `write(partial)` fills a folder under a lock, and one rename publishes it.

        `patience`: seconds to wait for another process that holds the lock; what it publishes is taken.
        On an error or a kill the partial folder stays, with its resume state, for the next run.
        """
        if self.has(spec):
            return self.path(spec)
        partial = self.partial(spec)
        make_folder(self.partial_root)
        lock = FileLock(self.partial_root / f"{spec.name}.lock")
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            raise UserError(
                f"{partial}: another process is building this artifact; wait for it or stop it"
            ) from None
        try:
            if not self.has(spec):
                write(make_folder(partial))
                self._publish(spec, partial, dict(seeds or {}))
        finally:
            lock.release()
        return self.path(spec)

    def _publish(self, spec: Spec, partial: Path, seeds: dict[str, int]) -> None:
        shutil.rmtree(partial / RESUME_DIR, ignore_errors=True)
        for cut in partial.rglob(f".*{_TEMPORARY}"):
            cut.unlink()  # what a kill in the middle of `write_text` left
        manifest = {
            "kind": spec.kind,
            "fingerprint": spec.fingerprint,
            "config": dict(spec.config),
            "stage_version": spec.version,
            "parents": dict(spec.parents),
            "inputs": dict(spec.inputs),
            "seeds": seeds,
            "code_version": __version__,
            "libraries": library_versions(),
        }
        write_json(partial / "manifest.json", manifest)
        partial.replace(self.path(spec))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a published artifact; `UserError` when the folder is not one."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise UserError(f"{folder}: no manifest.json, so this is not a finished artifact")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def library_versions() -> dict[str, str]:
    """Versions that can change results, by name."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def make_folder(path: Path) -> Path:
    """Create a folder with its parents; `UserError` that names it when that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: folder cannot be written ({error.strerror or error}); choose another with --out"
        ) from None
    return path


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: temporary name, flush to disk, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file that somebody else may have written; `UserError` names what is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds {type(data).__name__}, expected a mapping of keys to values")
    return data


def write_json(path: Path, data: object) -> None:
    """`write_text` of indented JSON with sorted keys; NaN is refused."""
    write_text(path, json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n")
