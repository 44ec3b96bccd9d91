"""One progress bar with rate and time left, on everything that takes over a few seconds."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

REPORT_EVERY = 0.5
"""Seconds between two reports of a bar to another process."""


@cache
def console() -> "Console":
    """Where messages and bars of this process go. Rich is loaded by the first of them."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


class _Report:
    """Where bars of this process say how far they are, for other processes that show it."""

    path: Path | None = None
    alone = False
    """Whether the report is all that bars of this process show."""


class Bar:
    """Handle on one running bar."""

    def __init__(self, progress: "Progress", task: "TaskID", label: str, total: int, done: int = 0) -> None:
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
        if _Report.alone:
            return
        if not console().is_terminal and self.done * 10 // max(self.total, 1) > self.plain_at:
            self.plain_at = self.done * 10 // max(self.total, 1)
            console().print(
                f"  {self.label}: {self.done}/{self.total}, {self._time_left()} left  {note}",
                markup=False,
                soft_wrap=True,
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
        """At the rate since the start of this sitting."""
        rate = (self.done - self.done_before) / max(time.monotonic() - self.started, 1e-9)
        return clock((self.total - self.done) / rate if rate > 0 else 0)


@contextmanager
def progress_bar(label: str, total: int, done: int = 0, unit: str = "") -> Iterator[Bar]:
    """A bar on a terminal; ten plain lines where output is a file."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

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
    hidden = not console().is_terminal or _Report.alone
    with Progress(*columns, console=console(), disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done, note="")
        yield Bar(progress, task, label, total, done)


def clock(seconds: float) -> str:
    """`h:mm:ss`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def say(message: str) -> None:
    """Print one line on stderr."""
    target = console()
    if target.is_terminal:
        target.print(message, markup=False, emoji=False, soft_wrap=True)
    elif not target.quiet:  # laying out a line that nothing wraps or colours costs as much as a small file
        from rich.control import strip_control_codes

        target.file.write(f"{strip_control_codes(message)}\n")
    sys.stderr.flush()


@contextmanager
def reported_to(path: Path, alone: bool = True) -> Iterator[None]:
    """Bars of this process write label, done, total, rate and note to `path`; `alone`: and show nothing."""
    before = _Report.path, _Report.alone
    _Report.path, _Report.alone = path, alone
    try:
        yield
    finally:
        _Report.path, _Report.alone = before
        for left in (path, path.with_name(f"{path.name}.new")):
            left.unlink(missing_ok=True)


def be_quiet() -> None:
    """No bars and lines from this process: of several ranks only one prints, and with `--quiet` none."""
    console().quiet = True


def is_quiet() -> bool:
    """Whether `be_quiet` was called."""
    return console().quiet
