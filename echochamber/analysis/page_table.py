"""A table with a question over it: its cells, and how numbers are written in them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from .number_text import bounds, percent
from .run_inputs import RunInputs


class Goal(TypedDict):
    """The completions behind a number: what the browser on the page shows after a click."""

    run: str
    """Id of the run."""
    step: int
    format: str
    """Empty: any format."""
    set: str
    """Problem set; empty: the one that is shown."""
    change: str
    """A change between before and after, as the browser's filter has it; empty: any."""


@dataclass(frozen=True)
class Cell:
    """One cell: text, or a number with its interval and the completions behind it."""

    value: str
    interval: str = ""
    """`54–60%`, `no interval`; empty in a cell that is no estimate."""
    known: bool = True
    """False where there is no number, only words for its absence."""
    goal: Goal | None = None

    def to(self, goal: Goal) -> "Cell":
        """The same cell, leading to the completions behind it; one without a number leads nowhere."""
        return replace(self, goal=goal) if self.known else self


NOT_ESTIMABLE = Cell("not estimable", known=False)
NO_INTERVAL = "no interval"


@dataclass(frozen=True)
class PageTable:
    """A question, its answer as a table, and what to know when reading it."""

    question: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


def seeds_note(inputs: Sequence["RunInputs"]) -> str:
    """What the intervals of a group's tables are over, and where a click leads."""
    if len(inputs) == 1:
        return (
            f"In brackets: 95% intervals within seed {inputs[0].run.seed} (bootstrap by problem; Wilson for greedy answers and flips). "
            "They do not say how another seed would end. Click a number for the completions behind it."
        )
    seeds = ", ".join(str(one.run.seed) for one in inputs)
    return (
        f"Means over {len(inputs)} seeds ({seeds}). In brackets: 95% intervals over seeds (Student’s t; for shares its form that holds near 0 and 1). "
        f"Click a number for completions of seed {inputs[0].run.seed}."
    )


def signed(value: float | None, interval: Sequence[float | None]) -> Cell:
    """A change in points: `+38.0 points`, `+35.1 to +41.2`."""
    if value is None:
        return NOT_ESTIMABLE
    low, high = interval
    around = NO_INTERVAL
    if low is not None and high is not None:
        around = f"{max(100 * low, -100):+.1f} to {min(100 * high, 100):+.1f}"
    return Cell(f"{100 * value:+.1f} points", around)


def share(row: Mapping[str, Any]) -> Cell:
    """A share: `57%`, `54–60%`, from the columns value, low, high."""
    if row["value"] is None:
        return NOT_ESTIMABLE
    return Cell(percent(row["value"]), bounds([row["low"], row["high"]] if row["low"] is not None else None))


def number(row: Mapping[str, Any], digits: int = 2, least: float = -math.inf) -> Cell:
    """A number in its own unit: `0.42`, `0.31 to 0.55`, from the columns value, low, high.

    `least`: the smallest value that the quantity can have; a bound below it is drawn up to it.
    """
    if row["value"] is None:
        return NOT_ESTIMABLE
    low, high = row["low"], row["high"]
    around = f"{max(low, least):.{digits}f} to {high:.{digits}f}" if low is not None else NO_INTERVAL
    return Cell(f"{row['value']:.{digits}f}", around)


def target(
    one: RunInputs, step: int | None = None, format: str = "", set: str = "", change: str = ""
) -> Goal:
    """Completions behind a row: the run's last step unless said otherwise."""
    return Goal(
        run=one.run.id, step=one.last if step is None else step, format=format, set=set, change=change
    )
