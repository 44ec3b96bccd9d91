"""One progress bar with rate and time left, on everything that takes over a few seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


class Bar:
    """Handle on one running bar."""

    def __init__(self, progress: Progress, task: TaskID, label: str, total: int, done: int = 0) -> None:
        self.progress, self.task, self.label, self.total = progress, task, label, total
        self.done, self.done_before, self.started = done, done, time.monotonic()
        self.plain_at = done * 10 // max(total, 1)

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Move on by `amount` units and show `note` (loss, reward, rate) behind the bar."""
        self.done += amount
        self.progress.update(self.task, advance=amount, note=note)
        if not console.is_terminal and self.done * 10 // max(self.total, 1) > self.plain_at:
            self.plain_at = self.done * 10 // max(self.total, 1)
            console.print(f"  {self.label}: {self.done}/{self.total}, {self._time_left()} left  {note}", markup=False)

    def _time_left(self) -> str:
        """`h:mm:ss` at the rate since the start of this sitting."""
        rate = (self.done - self.done_before) / max(time.monotonic() - self.started, 1e-9)
        seconds = round((self.total - self.done) / rate) if rate > 0 else 0
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@contextmanager
def progress_bar(label: str, total: int, done: int = 0, unit: str = "") -> Iterator[Bar]:
    """A bar on a terminal; ten plain lines where output is a file."""
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn(unit),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done, note="")
        yield Bar(progress, task, label, total, done)


def say(message: str) -> None:
    """One line for the person who is watching."""
    console.print(message, markup=False, soft_wrap=True)
    sys.stderr.flush()


def be_quiet() -> None:
    """No bars and lines from this process: of several ranks only one talks."""
    console.quiet = True
