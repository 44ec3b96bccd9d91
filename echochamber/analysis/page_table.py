"""A table of text with a question over it, and how numbers are written in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .number_text import bounds, percent
from .run_inputs import RunInputs


class Cell(str):
    """Text of one cell that leads to the completions behind it."""

    goal: dict[str, Any]

    def __new__(cls, text: str, goal: dict[str, Any]) -> "Cell":
        """A string with a goal (see `target`)."""
        made = super().__new__(cls, text)
        made.goal = goal
        return made


@dataclass(frozen=True)
class PageTable:
    """A question, its answer as a table of text, and what to know when reading it."""

    question: str
    columns: list[str]
    rows: list[list[str]]
    """A `Cell` among them can be clicked."""
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


def signed(value: float | None, interval: Sequence[float | None]) -> str:
    """`+38 points [35 to 41]`."""
    if value is None:
        return "not estimable"
    low, high = interval
    around = (
        f" [{max(100 * low, -100):+.1f} to {min(100 * high, 100):+.1f}]"
        if low is not None and high is not None
        else " (no interval)"
    )
    return f"{100 * value:+.1f} points{around}"


def share(row: dict[str, Any]) -> str:
    """`57% [54–60%]` from the columns value, low, high."""
    known = [row["low"], row["high"]] if row["low"] is not None else None
    return f"{percent(row['value'])} [{bounds(known)}]" if row["value"] is not None else "not estimable"


def target(one: RunInputs, **wanted: Any) -> dict[str, Any]:
    """Completions behind a row: the run's last step unless said otherwise."""
    return {"run": one.run.id, "step": one.last, "format": "", "set": "", "change": ""} | wanted
