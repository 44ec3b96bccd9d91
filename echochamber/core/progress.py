"""One progress bar with rate and time left, on everything that takes over a few seconds."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True, highlight=False)
REPORT_EVERY = 0.5
"""Seconds between two reports of a bar to another process."""


class _Report:
    """Where bars of this process say how far they are, for a process that shows several of them."""

    path: Path | None = None


class Bar:
    """Handle on one running bar."""

    def __init__(self, progress: Progress, task: TaskID, label: str, total: int, done: int = 0) -> None:
        self.progress, self.task, self.label, self.total = progress, task, label, total
        self.done, self.done_before, self.started = done, done, time.monotonic()
        self.plain_at = done * 10 // max(total, 1)
        self.reported = 0.0

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount` units and show `note` (loss, reward, rate) behind the bar."""
        self.done += amount
        self.progress.update(self.task, advance=amount, note=note)
        if _Report.path is not None:
            self._report(_Report.path, note)
        elif not console.is_terminal and self.done * 10 // max(self.total, 1) > self.plain_at:
            self.plain_at = self.done * 10 // max(self.total, 1)
            console.print(
                f"  {self.label}: {self.done}/{self.total}, {self._time_left()} left  {note}", markup=False
            )

    def _report(self, path: Path, note: str) -> None:
        now = time.monotonic()
        if now - self.reported < REPORT_EVERY and self.done < self.total:
            return
        self.reported = now
        rate = (self.done - self.done_before) / max(now - self.started, 1e-9)
        beside = path.with_name(f"{path.name}.new")
        report = {"label": self.label, "done": self.done, "total": self.total, "rate": rate, "note": note}
        with suppress(OSError):  # a full disk stops what must be written, and this need not
            beside.write_text(json.dumps(report), encoding="utf-8")
            beside.replace(path)

    def _time_left(self) -> str:
        """`h:mm:ss` at the rate since the start of this sitting."""
        rate = (self.done - self.done_before) / max(time.monotonic() - self.started, 1e-9)
        seconds = round((self.total - self.done) / rate) if rate > 0 else 0
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@contextmanager
def progress_bar(label: str, total: int, done: int = 0, unit: str = "") -> Iterator[Bar]:
    """A bar on a terminal; ten plain lines where output is a file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    hidden = not console.is_terminal or _Report.path is not None
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done, note="")
        yield Bar(progress, task, label, total, done)


def say(message: str) -> None:
    """Print one line on stderr."""
    console.print(message, markup=False, soft_wrap=True)
    sys.stderr.flush()


@contextmanager
def reported_to(path: Path) -> Iterator[None]:
    """Bars of this process show nothing; they write label, done, total, rate and note to `path`."""
    before, _Report.path = _Report.path, path
    try:
        yield
    finally:
        _Report.path = before
        for left in (path, path.with_name(f"{path.name}.new")):
            left.unlink(missing_ok=True)


def be_quiet() -> None:
    """No bars and lines from this process: of several ranks only one prints."""
    console.quiet = True
