"""Logs by step, as JSON Lines; everything else that shows metrics reads these files.

`metrics.jsonl` holds what is a function of config and seed; `timing.jsonl` beside it holds wall
times, so that two runs of one seed have equal metrics byte for byte.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UserError


class StepLog:
    """One append-only JSON Lines file whose rows have a `step`."""

    def __init__(self, path: Path | None, resume_after: int | None = None) -> None:
        """`resume_after`: keep rows up to this step (None: start with an empty file).

        Without a path nothing is written: of several ranks only one keeps the log.
        """
        self.stream = None
        if path is not None:
            _keep_through(path, resume_after)
            self.stream = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, object]) -> None:
        """One row; a NaN or infinity becomes null."""
        if self.stream is None:
            return
        row = {"step": step} | {k: None if _is_not_finite(v) else v for k, v in values.items()}
        self.stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.stream.flush()

    def sync(self) -> None:
        """Flush to disk, before resume state that refers to these rows is written."""
        if self.stream is not None:
            os.fsync(self.stream.fileno())

    def close(self) -> None:
        """Close the file."""
        if self.stream is not None:
            self.stream.close()

    def __enter__(self) -> "StepLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MetricsLog:
    """Figures of one stage and, apart from them, its wall times."""

    def __init__(self, folder: Path | None, resume_after: int | None = None) -> None:
        """`folder` None: nothing is written (see `StepLog`)."""
        self.metrics = StepLog(folder / "metrics.jsonl" if folder else None, resume_after)
        self.timing = StepLog(folder / "timing.jsonl" if folder else None, resume_after)

    def write(self, step: int, values: Mapping[str, object]) -> None:
        """One row of reproducible figures."""
        self.metrics.write(step, values)

    def write_timing(self, step: int, values: dict[str, float]) -> None:
        """One row of wall times in seconds (`_s`) and rates."""
        self.timing.write(step, {name: round(value, 4) for name, value in values.items()})

    def sync(self) -> None:
        """See `StepLog.sync`."""
        self.metrics.sync()
        self.timing.sync()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.metrics.close()
        self.timing.close()


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _keep_through(path: Path, step: int | None) -> None:
    """Rewrite `path` with the complete rows up to `step`; a half-written last line is dropped."""
    kept = (
        []
        if step is None or not path.is_file()
        else [row for row in read_metrics(path) if row["step"] <= step]
    )
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete rows; a torn last line of a running stage is ignored."""
    if not path.is_file():
        raise UserError(f"{path}: no such metrics file")
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
