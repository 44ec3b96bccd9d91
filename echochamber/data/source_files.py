"""The input files of a real source: local, or on the hub and fetched one by one."""

import importlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ..core.errors import UserError
from ..core.progress import say
from .hub import HubConfig, HubPlace, split_pattern
from .local_sources import RowSource
from .rows import SUFFIXES
from .source_config import SourceConfig

T = TypeVar("T")
_WAITS = (1.0, 5.0, 25.0, 125.0)
"""Seconds before each further try; the library itself goes on where a download broke off."""


@dataclass(frozen=True)
class SourceFile:
    """One input file."""

    name: str
    """Relative to its source."""
    path: Path | None
    """None: it is on the hub."""
    size: int
    """Bytes; 0 where the hub does not say."""


def source_files(name: str, config: SourceConfig, hub: HubConfig) -> list[SourceFile]:
    """The files of a source with real rows, by relative name."""
    if config.hub and hub.folder is None:
        return _listed(hub.place(config.hub, config.revision))
    files = RowSource(name, config, hub).files()
    if config.hub:
        root = hub.place(config.hub, config.revision).folder
    else:
        root = Path(config.path or "")
        root = root if root.is_dir() else root.parent
    assert root is not None
    return [SourceFile(file.relative_to(root).as_posix(), file, file.stat().st_size) for file in files]


def _listed(place: HubPlace) -> list[SourceFile]:
    """The train files of a data set on the hub at its commit."""
    pattern = split_pattern(place, "train")
    api = _library().HfApi()

    def ask() -> list[SourceFile]:
        tree = api.list_repo_tree(
            place.known.repository, repo_type="dataset", revision=place.commit, recursive=True
        )
        return [SourceFile(str(item.path), None, int(getattr(item, "size", 0) or 0)) for item in tree]

    found = [file for file in _retried(ask, place.known.repository) if _wanted(file.name, pattern)]
    if not found:
        raise UserError(
            f"hub: {place.known.repository} at {place.commit} holds no file {pattern or 'of the split train'}"
        )
    return sorted(found, key=lambda file: file.name)


def _wanted(name: str, pattern: str | None) -> bool:
    """Whether a file is one of the split; no part of its name may lead elsewhere."""
    parts = PurePosixPath(name).parts
    if any(part.startswith((".", "/")) for part in parts) or not name.endswith(SUFFIXES):
        return False
    if pattern is None:
        return any(part.replace("_", "-").replace(".", "-").split("-")[0] == "train" for part in parts)
    wanted = PurePosixPath(pattern).parts
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


@contextmanager
def at_hand(file: SourceFile, place: HubPlace | None, folder: Path) -> Iterator[Path]:
    """The file on this machine; one of the hub is fetched into `folder`, and removed when it was read."""
    if file.path is not None:
        before = file.path.stat()
        yield file.path
        after = file.path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError(f"{file.path}: changed while it was read; wait until it is whole")
        return
    assert place is not None

    def fetch() -> Path:
        return Path(
            _library().hf_hub_download(
                place.known.repository,
                file.name,
                repo_type="dataset",
                revision=place.commit,
                cache_dir=str(folder),
            )
        )

    yield _retried(fetch, f"{place.known.repository}, {file.name}")
    shutil.rmtree(folder, ignore_errors=True)


def _retried(ask: Callable[[], T], what: str) -> T:
    """What the hub answers, asked again after errors that may pass."""
    for wait in (*_WAITS, None):
        try:
            return ask()
        except Exception as error:  # noqa: BLE001  (HTTP clients and file systems have no common base)
            status = getattr(getattr(error, "response", None), "status_code", None)
            refused = type(status) is int and 400 <= status < 500 and status not in (408, 429)
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            if wait is None or refused:
                raise UserError(
                    f"hub: {what} cannot be read ({reason}); is there a network, and is the commit right?"
                ) from None
        say(f"hub: {what}: {reason}; once more in {wait:g} s")
        time.sleep(wait)
    raise AssertionError("the last try raises")


def _library() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            "hub: the package huggingface_hub is not installed; pip install 'echochamber[hub]', or give path"
        ) from None
