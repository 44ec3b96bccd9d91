"""Content-keyed artifact folders: written under a temporary name, published by one rename.

    artifacts/KIND-FINGERPRINT/            complete: has manifest.json
    artifacts/.partial/KIND-FINGERPRINT/   being written, under a lock, with its resume state

    artifacts/.damaged/KIND-FINGERPRINT-N/ set aside: its files are not those that its manifest lists

A fingerprint hashes the stage's own config, its version, its parents' fingerprints and the content
of its input files. What has no sound manifest, or lacks a file that it lists, does not exist for other
stages: it is set aside and made again.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from .checksums import DamagedArtifact, Signature, find_damage, hash_file, record_files, signature
from .errors import UserError
from .files import canonical_json, make_folder, remove_temporary, write_json
from .manifest import library_versions, manifest_digest, read_manifest, recorded_files
from .progress import say
from .resume_record import RESUME_DIR, mend_resume
from .storage import fsync_folder, storage_errno, storage_errors_named, storage_failure
from .version import __version__


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

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits; stable across machines and key order."""
        body = [self.kind, dict(self.config), self.version, dict(self.parents), dict(self.inputs)]
        return hashlib.sha256(canonical_json(body).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Folder name: KIND-FINGERPRINT."""
        return f"{self.kind}-{self.fingerprint}"


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
        self.damaged_root = root / ".damaged"
        self._verified: dict[str, Signature] = {}

    def path(self, spec: Spec) -> Path:
        """Where the published artifact is or will be."""
        return self.root / spec.name

    def has(self, spec: Spec) -> bool:
        """True when the artifact is complete: a sound manifest, and its files with their sizes."""
        return self.path(spec).is_dir() and self.damage(spec) is None

    def damage(self, spec: Spec, content: bool = False) -> str | None:
        """What is wrong with a published folder, in words; None where nothing is, or there is no folder.

        `content`: compare digests too, once per process and state of the files.
        """
        folder = self.path(spec)
        if not folder.is_dir():
            return None
        try:
            recorded = recorded_files(folder, spec.fingerprint)
        except DamagedArtifact as error:
            return str(error)
        if not content:
            return find_damage(folder, recorded, content=False)
        try:
            if self._verified.get(spec.name) == (state := signature(folder, recorded)):
                return None
        except OSError:
            return find_damage(folder, recorded, content=True)
        if (found := find_damage(folder, recorded, content=True)) is None:
            self._verified[spec.name] = state
        return found

    def is_unverified(self, spec: Spec) -> bool:
        """True for a complete artifact that was written before manifests had checksums."""
        return self.has(spec) and "files" not in read_manifest(self.path(spec))

    def partial(self, spec: Spec) -> Path:
        """Where the artifact is built before it is published."""
        return self.partial_root / spec.name

    def build(
        self,
        spec: Spec,
        write: Callable[[Path], None],
        seeds: Mapping[str, int] | None = None,
        patience: float = 0.0,
        remarks: Mapping[str, object] | None = None,
    ) -> Path:
        """The artifact's folder, built first where there is none.

        `write(partial)` fills a folder under a lock, and one rename publishes it. A damaged artifact is set
        aside before.

        `patience`: seconds to wait for another process that holds the lock; what it publishes is taken.
        `remarks`: further keys of the manifest, which are no part of the fingerprint.
        On an error or a kill the partial folder stays, with its resume state, for the next run.
        """
        if self.has(spec):
            return self.path(spec)
        with self.held(spec, patience), storage_errors_named(self.partial(spec)):
            if not self.has(spec):
                self._set_aside(self.path(spec), self.damage(spec))
                partial = self._sound_partial(spec)
                try:
                    write(partial)
                except BaseException as error:
                    if storage_errno(error) is not None:
                        remove_temporary(partial)  # the room that the half-written file took
                    raise
                self._publish(spec, partial, dict(seeds or {}), remarks or {})
        return self.path(spec)

    def set_aside_if_damaged(self, spec: Spec, patience: float = 0.0) -> str | None:
        """Compare all digests of an artifact; a damaged one is moved away. Returns what was wrong with it.

        One line names the file and the artifact. `patience` is as for `build`.
        """
        if self.damage(spec, content=True) is None:
            return None
        with self.held(spec, patience):
            found = self.damage(spec, content=True)
            self._set_aside(self.path(spec), found)
        return found

    def _sound_partial(self, spec: Spec) -> Path:
        """The folder to build in; one whose resume state is damaged is set aside and begun anew."""
        partial = self.partial(spec)
        self._set_aside(partial, mend_resume(partial, say))
        remove_temporary(make_folder(partial))
        return partial

    def _set_aside(self, folder: Path, found: str | None) -> None:
        if found is None:
            return
        number = 1
        while (target := self.damaged_root / f"{folder.name}-{number}").exists():
            number += 1
        make_folder(self.damaged_root)
        folder.replace(target)
        say(f"damaged: {folder}: {found}; set aside as {target}, made again")

    @contextmanager
    def held(self, spec: Spec, patience: float) -> Iterator[None]:
        """Hold an artifact's lock, after at most `patience` seconds of waiting for another process."""
        make_folder(self.partial_root)
        lock = FileLock(self.partial_root / f"{spec.name}.lock")
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if patience > 0:
                    say(f"waiting for {spec.name}, which another process builds (at most {patience:.0f} s)")
                lock.acquire(timeout=patience)
        except Timeout:
            waited = f" after {patience:.0f} s of waiting" if patience else ""
            raise UserError(
                f"{self.partial(spec)}: another process is building this artifact{waited}; "
                "wait for it or stop it"
            ) from None
        except (OSError, NotImplementedError) as error:
            raise _no_lock(Path(lock.lock_file), error) from None
        try:
            yield
        finally:
            lock.release()

    def _publish(
        self, spec: Spec, partial: Path, seeds: dict[str, int], remarks: Mapping[str, object]
    ) -> None:
        shutil.rmtree(partial / RESUME_DIR, ignore_errors=True)
        remove_temporary(partial)  # what a kill in the middle of `write_text` left
        manifest: dict[str, object] = {
            "kind": spec.kind,
            "fingerprint": spec.fingerprint,
            "config": dict(spec.config),
            "stage_version": spec.version,
            "parents": dict(spec.parents),
            "inputs": dict(spec.inputs),
            "seeds": seeds,
            "code_version": __version__,
            "libraries": library_versions(),
            "files": record_files(partial),
        }
        manifest = dict(remarks) | manifest
        write_json(partial / "manifest.json", manifest | {"digest": manifest_digest(manifest)})
        partial.replace(self.path(spec))
        fsync_folder(self.root)


def _no_lock(path: Path, error: Exception) -> UserError:
    number = storage_errno(error)
    if number is not None:
        return storage_failure(path, number)
    reason = getattr(error, "strerror", None) or error
    return UserError(
        f"{path}: cannot be locked ({reason}); choose a folder on a file system with locks, with --out"
    )
