"""Reading the files of a study's stages: whole, still growing, or damaged in places.

What cannot be read is named in `StoredStudy.warnings`, for the page to show.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from ..core.checksums import find_damage, hash_file
from ..core.metrics import read_metrics
from ..core.records import RECORD_SCHEMA, SCHEMA_VERSION
from .stored_files import StoredFile
from .study_folder import JsonObject, StoredStage, StoredStudy


def _is_damaged(study: StoredStudy, node: StoredStage, name: str) -> bool:
    """True, with a note, for a file of a finished stage that has other bytes than its manifest says."""
    recorded = node.manifest.files.get(name)
    if node.folder is None or recorded is None:
        return False
    path = node.folder / name
    found = find_damage(node.folder, {name: recorded}, content=False)
    if found is None:
        status = path.stat()
        if recorded[1] == _digest(path, status.st_size, status.st_mtime_ns):
            return False
        found = f"{name} has another SHA-256 than its manifest says"
    study.warn(f"{node.id}: {found}; it is damaged and left out")
    return True


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of a file in one state, so that several tables of a page hash it once."""
    return hash_file(path)


def read_json(study: StoredStudy, node: StoredStage, name: str) -> Any:
    """A JSON file of a stage, None with a note when it is not there, torn or damaged."""
    if node.folder is None or ((node.folder / name).is_file() and _is_damaged(study, node, name)):
        return None
    try:
        return json.loads((node.folder / name).read_text(encoding="utf-8"))
    except OSError:
        if not node.partial:
            study.warn(f"{node.id}: {name} is missing")
    except ValueError:
        study.warn(f"{node.id}: {name} is not valid JSON")
    return None


File = TypeVar("File", bound=StoredFile)


def read_stored(study: StoredStudy, node: StoredStage, name: str, kind: type[File]) -> File | None:
    """A JSON file of a stage as its type, None with a note when it is missing, torn or of another kind."""
    data = read_json(study, node, name)
    try:
        return kind.read(data) if data is not None else None
    except ValueError as error:
        study.warn(f"{node.id}: {name} is not as expected ({error})")
        return None


def read_log(study: StoredStudy, node: StoredStage, name: str) -> list[JsonObject]:
    """Rows of a metrics or timing log; complete rows of a running stage."""
    if node.folder is None or not (node.folder / name).is_file():
        if node.folder is not None and not node.partial:
            study.warn(f"{node.id}: {name} is missing")
        return []
    if _is_damaged(study, node, name):
        return []
    rows = read_metrics(node.folder / name)
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]


RECORD_COLUMNS = tuple(RECORD_SCHEMA)


def scan_table(
    study: StoredStudy, node: StoredStage, name: str, required: tuple[str, ...] = RECORD_COLUMNS
) -> pl.LazyFrame | None:
    """A Parquet file of a stage, scanned lazily; None with a note when it is missing, torn or lacks columns.

    With the columns of records their types are checked too. A table is checked once.
    """
    asked = (node.id, name, required)
    if asked not in study.scans:
        study.scans[asked] = _checked_scan(study, node, name, required)
    return study.scans[asked]


def _checked_scan(
    study: StoredStudy, node: StoredStage, name: str, required: tuple[str, ...]
) -> pl.LazyFrame | None:
    if node.folder is None or not (node.folder / name).is_file():
        if node.folder is not None and not node.partial:
            study.warn(f"{node.id}: {name} is missing")
        return None
    if _is_damaged(study, node, name):
        return None
    try:
        frame = pl.scan_parquet(node.folder / name)
        columns = frame.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        study.warn(f"{node.id}: {name} is not a readable Parquet file ({str(error).splitlines()[0]})")
        return None
    absent = [column for column in required if column not in columns]
    if absent:
        study.warn(f"{node.id}: {name} lacks column {absent[0]!r}; it was written by another version")
        return None
    wrong = [
        column
        for column in required
        if required == RECORD_COLUMNS and columns[column] != RECORD_SCHEMA[column]
    ]
    if wrong:
        study.warn(
            f"{node.id}: {name} has column {wrong[0]!r} as {columns[wrong[0]]}, "
            f"expected {RECORD_SCHEMA[wrong[0]]}"
        )
        return None
    if required == RECORD_COLUMNS and not _this_version(study, node, name, frame):
        return None
    return frame


def _this_version(study: StoredStudy, node: StoredStage, name: str, frame: pl.LazyFrame) -> bool:
    """False, with a note, for records of another schema version.

    Equal columns may mean other things there.
    """
    try:
        found = frame.select(pl.col("schema_version").unique().sort()).collect()["schema_version"].to_list()
    except pl.exceptions.PolarsError as error:
        study.warn(f"{node.id}: {name} is damaged ({str(error).splitlines()[0]})")
        return False
    if set(found) <= {SCHEMA_VERSION}:
        return True
    versions = " and ".join(str(version) for version in found)
    study.warn(
        f"{node.id}: {name} is of schema version {versions}, this program reads {SCHEMA_VERSION}; "
        "it is left out"
    )
    return False
