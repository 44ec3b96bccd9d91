"""The metrics log: JSON Lines is the truth, everything else is a sink.

`metrics.jsonl` holds what is a function of config and seed; `timing.jsonl` beside it holds wall
times, so that two runs of one seed have equal metrics byte for byte.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from .errors import UserError


class MetricsLog:
    """Append-only log of one stage, truncated to a step when a cut run goes on."""

    def __init__(self, folder: Path, resume_after: int | None = None) -> None:
        """`resume_after`: keep rows up to this step (None: start with empty files)."""
        self.files = {name: folder / f"{name}.jsonl" for name in ("metrics", "timing")}
        for path in self.files.values():
            _keep_through(path, resume_after)
        self.streams = {name: path.open("a", encoding="utf-8") for name, path in self.files.items()}

    def write(self, step: int, values: dict[str, Any]) -> None:
        """One row of reproducible figures; a NaN or infinity becomes null."""
        self._append("metrics", {"step": step} | values)

    def write_timing(self, step: int, values: dict[str, float]) -> None:
        """One row of wall times in seconds."""
        self._append("timing", {"step": step} | {k: round(v, 4) for k, v in values.items()})

    def _append(self, name: str, row: dict[str, Any]) -> None:
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self.streams[name].write(json.dumps(clean) + "\n")
        self.streams[name].flush()

    def sync(self) -> None:
        """Flush to disk, before resume state that refers to these rows is written."""
        for stream in self.streams.values():
            os.fsync(stream.fileno())

    def close(self) -> None:
        """Close both files."""
        for stream in self.streams.values():
            stream.close()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _keep_through(path: Path, step: int | None) -> None:
    """Rewrite `path` with the complete rows up to `step`; a half-written last line is dropped."""
    kept: list[str] = []
    if step is not None and path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError):
                break
    path.write_text("".join(kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete rows; a torn last line of a running stage is ignored."""
    if not path.is_file():
        raise UserError(f"{path}: no such metrics file")
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
