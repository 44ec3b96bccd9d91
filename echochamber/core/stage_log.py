"""`stages.jsonl`: one line per change of a stage's state, appended; `study.json` is rewritten now and then.

Rewriting the whole study at each change costs time that grows with its stages. `study.json` says up to which
byte of the log it knows; a reader lays the later lines over it. Several runs of one study append to one log.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

STAGE_LOG = "stages.jsonl"
LOG_BYTES = "log_bytes"
"""Key of `study.json`: the length of the log when it was written."""
_CHANGING = ("status", "seconds", "error")


def append_change(path: Path, stage: str, state: Mapping[str, object]) -> None:
    """Add one line; a line that a kill cut stays alone."""
    row = {"id": stage} | {key: state.get(key) for key in _CHANGING}
    line = f"\n{json.dumps(row)}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.write(descriptor, line) != len(line):
            os.write(descriptor, line)  # a disk that took only a part refuses the rest with its reason
    finally:
        os.close(descriptor)


def log_length(path: Path) -> int:
    """Bytes in the log; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def later_changes(path: Path, start: object) -> dict[str, dict[str, object]]:
    """Stage id -> its last state in the log after byte `start`; {} where that is no number or no log."""
    if not isinstance(start, int):
        return {}
    try:
        with path.open("rb") as stream:
            stream.seek(max(start, 0))
            lines = stream.read().split(b"\n")
    except OSError:
        return {}
    found: dict[str, dict[str, object]] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("id"), str) and set(_CHANGING) <= set(row):
            found[row["id"]] = {key: row[key] for key in _CHANGING}
    return found


def laid_over(study: object, folder: Path) -> object:
    """The content of `study.json` with the later lines of the log over it."""
    if not isinstance(study, dict) or not isinstance(study.get("nodes"), list):
        return study
    changes = later_changes(folder / STAGE_LOG, study.get(LOG_BYTES))
    nodes = [
        node | changes[node["id"]] if isinstance(node, dict) and node.get("id") in changes else node
        for node in study["nodes"]
    ]
    return study | {"nodes": nodes}
