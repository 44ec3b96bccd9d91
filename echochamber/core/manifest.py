"""`manifest.json`: what an artifact was made from, by what, and the checksums of its files."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .checksums import DamagedArtifact, Recorded, find_damage, parse_record
from .errors import UserError
from .files import canonical_json, read_json

_LIBRARIES = ("torch", "numpy", "polars", "tokenizers", "pydantic-monty")


def manifest_digest(manifest: Mapping[str, object]) -> str:
    """SHA-256 of a manifest without its own digest."""
    body = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


def sound_manifest(folder: Path, fingerprint: str) -> dict[str, Any]:
    """The manifest of an artifact; `DamagedArtifact` where it is lost, torn or changed.

    One from before checksums has no digest and no `files`; its fingerprint alone is compared.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DamagedArtifact(f"manifest.json cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise DamagedArtifact("manifest.json is not JSON") from None
    if not isinstance(manifest, dict) or manifest.get("fingerprint") != fingerprint:
        raise DamagedArtifact("manifest.json does not name this artifact's fingerprint")
    if {"files", "digest"} & manifest.keys() and (
        manifest.get("digest") != manifest_digest(manifest) or parse_record(manifest.get("files")) is None
    ):
        raise DamagedArtifact("manifest.json has another SHA-256 than it says")
    return manifest


def recorded_files(folder: Path, fingerprint: str) -> Recorded:
    """The checksums in an artifact's manifest, empty in one from before them; else as `sound_manifest`."""
    return parse_record(sound_manifest(folder, fingerprint).get("files", {})) or {}


def check_artifact(folder: Path) -> None:
    """`UserError` where a published artifact is damaged; used where nothing can make it again."""
    try:
        recorded = recorded_files(folder, folder.name.rpartition("-")[2])
    except DamagedArtifact as error:
        raise UserError(f"{folder}: {error}; this artifact is damaged") from None
    if found := find_damage(folder, recorded, content=True):
        raise UserError(f"{folder}: {found}; this artifact is damaged")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a published artifact; `UserError` when the folder is not one."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise UserError(f"{folder}: no manifest.json, so this is not a finished artifact")
    return read_json(path)


def history(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, manifest) of the artifact that holds `folder`, then of what it was made from, nearest first.

    Only parents that lie beside it are found; nothing outside an artifact.
    """
    inside = (folder, *folder.parents)
    waiting = [next((place for place in inside if (place / "manifest.json").is_file()), None)]
    seen: set[Path] = set()
    while waiting:
        artifact = waiting.pop(0)
        if artifact is None or artifact in seen:
            continue
        seen.add(artifact)
        manifest = read_manifest(artifact)
        if not all(isinstance(manifest.get(name), dict) for name in ("config", "parents", "inputs")):
            continue  # another tool's file of the same name
        yield artifact, manifest
        prints = [str(fingerprint) for fingerprint in manifest["parents"].values()]
        found = [
            path for path in sorted(artifact.parent.glob("*-*")) if path.name.rpartition("-")[2] in prints
        ]
        waiting += [path for path in found if (path / "manifest.json").is_file()]


@cache
def _library_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def library_versions() -> dict[str, str]:
    """Versions that can change results, by name; looked up once, which takes as long as a small stage."""
    return dict(_library_versions())
