"""A table with a question over it: its cells, and how numbers are written in them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from .number_text import bounds, percent
from .run_inputs import RunInputs

FrameRow = Mapping[str, Any]
"""A row of a frame, as Polars types it; here with the columns value, low and high among others."""


class CompletionLink(TypedDict):
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
    link: CompletionLink | None = None

    def to(self, link: CompletionLink) -> "Cell":
        """The same cell, leading to the completions behind it; one without a number leads nowhere."""
        return replace(self, link=link) if self.known else self


NOT_ESTIMABLE = Cell("not estimable", known=False)
NO_INTERVAL = "no interval"


@dataclass(frozen=True)
class PageTable:
    """A question, its answer as a table, and what to know when reading it."""

    name: str
    """Identifier: the name of the question's module."""
    question: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


def seeds_note(inputs: Sequence[RunInputs]) -> str:
    """What the intervals of a group's tables are over, and where a click leads."""
    first = inputs[0].run.seed
    if len(inputs) == 1:
        return (
            f"In brackets: 95% intervals within seed {first}. They are bootstrap intervals by problem, "
            "and Wilson intervals for greedy answers and flips. They do not say how another seed would end. "
            "Click a number for the completions behind it."
        )
    seeds = ", ".join(str(one.run.seed) for one in inputs)
    return (
        f"Means over {len(inputs)} seeds ({seeds}). In brackets: 95% intervals over seeds (Student’s t; "
        "for shares its form that holds near 0 and 1). "
        f"Click a number for completions of seed {first}."
    )


def share(row: FrameRow) -> Cell:
    """A share, from the columns value, low, high.

    >>> share({"value": 0.57, "low": 0.54, "high": 0.6})
    Cell(value='57%', interval='54–60%', known=True, link=None)
    """
    value, low, high = row["value"], row["low"], row["high"]
    if value is None:
        return NOT_ESTIMABLE
    return Cell(percent(value), bounds([low, high] if low is not None and high is not None else None))


def signed(row: FrameRow) -> Cell:
    """A change in percentage points, from the columns value, low, high; bounds are clipped to 100 points.

    >>> signed({"value": 0.38, "low": 0.351, "high": 0.412})
    Cell(value='+38.0 points', interval='+35.1 to +41.2', known=True, link=None)
    """
    value, low, high = row["value"], row["low"], row["high"]
    if value is None:
        return NOT_ESTIMABLE
    around = NO_INTERVAL
    if low is not None and high is not None:
        around = f"{max(100 * low, -100):+.1f} to {min(100 * high, 100):+.1f}"
    return Cell(f"{100 * value:+.1f} points", around)


def number(row: FrameRow, digits: int = 2, least: float = -math.inf) -> Cell:
    """A number in its own unit, from the columns value, low, high.

    `least`: the smallest value that the quantity can have; a bound below it is drawn up to it.

    >>> number({"value": 40.25, "low": -1.0, "high": 90.0}, 1, least=0)
    Cell(value='40.2', interval='0.0 to 90.0', known=True, link=None)
    """
    value, low, high = row["value"], row["low"], row["high"]
    if value is None:
        return NOT_ESTIMABLE
    around = NO_INTERVAL
    if low is not None and high is not None:
        around = f"{max(low, least):.{digits}f} to {high:.{digits}f}"
    return Cell(f"{value:.{digits}f}", around)


def link_to(
    one: RunInputs, step: int | None = None, format: str = "", set: str = "", change: str = ""
) -> CompletionLink:
    """Completions behind a row: the run's last step unless said otherwise."""
    return CompletionLink(
        run=one.run.id, step=one.last if step is None else step, format=format, set=set, change=change
    )


def both_ends(one: RunInputs, format: str = "") -> dict[bool, CompletionLink]:
    """Completions of the base (False) and of the last checkpoint (True)."""
    return {False: link_to(one, 0, format), True: link_to(one, format=format)}
