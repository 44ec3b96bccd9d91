"""One display for a study whose stages run in several processes: done, running (rate, time left), failed."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..core.progress import clock, console, say
from .stage_estimates import estimate_seconds
from .stage_graph import StageGraph, StageNode
from .status import StudyStatus


def progress_path(node: StageNode, graph: StageGraph) -> Path:
    """File of a running stage's progress: beside its partial artifact, never in it."""
    partial = graph.store.partial(node.spec)
    return partial.with_name(f"{partial.name}.progress")


STATES = ("done", "running", "failed", "pending")


class ProgressReport(TypedDict, total=False):
    """What a running stage says of itself; empty before its first report."""

    done: float
    total: float
    rate: float
    """Units of work per second."""
    note: str


class ProgressDisplay:
    """Progress of all stages: redrawn twice a second on a terminal, elsewhere one line per event."""

    def __init__(self, missing: Sequence[StageNode], status: StudyStatus) -> None:
        self.missing, self.status = list(missing), status
        self.running: dict[str, float] = {}
        """StageNode id -> when it started here."""
        self.started = time.monotonic()
        self._cost = {node.id: estimate_seconds(node, status.graph.recipe) for node in missing}

    def start(self, node: StageNode) -> None:
        """A stage has started."""
        self.running[node.id] = time.monotonic()
        self._say(f"start {node.id}")

    def end(self, node: StageNode, error: str | None = None) -> None:
        """A stage has ended."""
        self.running.pop(node.id, None)
        if error is not None:
            say(f"failed {node.id}: {error}")
        else:
            self._say(f"done  {node.id}  ({self.summary()})")

    def _say(self, message: str) -> None:
        if not console().is_terminal:
            say(message)

    def counts(self) -> dict[str, int]:
        """Stages by state, of those that were missing when the study was started."""
        states = Counter([self.status.nodes[name].status for name in self._cost])
        return {state: states[state] for state in STATES}

    def summary(self) -> str:
        """`12 of 40 done, 2 running, 1 failed, about 0:41:00 left`."""
        counted = self.counts()
        failed = f", {counted['failed']} failed" if counted["failed"] else ""
        left = self.seconds_left()
        return f"{counted['done']} of {len(self.missing)} done, {counted['running']} running{failed}" + (
            f", about {clock(left)} left" if left else ""
        )

    def seconds_left(self) -> float | None:
        """Estimated seconds left, at the pace since the start; None before anything is done.

        Stages count by their estimated cost, running ones by their own progress.
        """
        costs, running = dict.fromkeys(STATES, 0.0), 0.0
        for name, cost in self._cost.items():
            costs[state := self.status.nodes[name].status] += cost
            running += cost * self._progress(name) if state == "running" else 0.0
        done, to_do = costs["done"] + running, costs["pending"] + costs["running"] - running
        return (time.monotonic() - self.started) * to_do / done if done > 0 else None

    def _progress(self, node_id: str) -> float:
        found = self.read(node_id)
        return found["done"] / max(found["total"], 1) if found else 0.0

    def __rich__(self) -> Group:
        grid = Table.grid(padding=(0, 2))
        for node_id, started in list(self.running.items()):
            grid.add_row(*self._row(node_id, time.monotonic() - started))
        failed = [
            Text(f"failed {node.id}: {self.status.nodes[node.id].error}", style="red")
            for node in self.missing
            if self.status.nodes[node.id].status == "failed"
        ]
        return Group(Text(f"{self.status.graph.recipe.name}: {self.summary()}"), grid, *failed)

    def _row(self, node_id: str, seconds: float) -> tuple[RenderableType, ...]:
        found = self.read(node_id)
        if not found:
            return node_id, "", clock(seconds), "", ""
        left = (found["total"] - found["done"]) / found["rate"] if found["rate"] else None
        bar = ProgressBar(total=max(found["total"], 1), completed=found["done"], width=20)
        pace = f"{found['done']}/{found['total']}, {found['rate']:.3g}/s" + (
            f", {clock(left)} left" if left is not None else ""
        )
        return node_id, bar, clock(seconds), pace, Text(str(found["note"]).replace("\n", " "), style="dim")

    def read(self, node_id: str) -> ProgressReport:
        """What a running stage last said of itself; {} before its first report."""
        try:
            found: ProgressReport = json.loads(
                progress_path(self.status.graph.nodes[node_id], self.status.graph).read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and {"done", "total", "rate", "note"} <= set(found) else {}


@contextmanager
def shown(display: ProgressDisplay) -> Iterator[ProgressDisplay]:
    """Show the display on a terminal while the block runs; elsewhere only its lines."""
    with (
        Live(display, console=console(), refresh_per_second=2, transient=True)
        if console().is_terminal
        else _nothing()
    ):
        yield display
    say(display.summary())


@contextmanager
def _nothing() -> Iterator[None]:
    yield
