"""What changes a running value by a part or a multiple of itself: fractions in words and percentages."""

from ...core.types import Operation
from .draft import Draft
from .limits import Build, Limits, divisors
from .moves import PARTS, TIMES
from .rows import Row
from .stream import Stream, pick

PERCENTS = (10, 20, 25, 30, 40, 50, 60, 75, 80)


def minus_part(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x - x / c`: half of it, a third of it goes."""
    fits = divisors(int(draft.value(node)), 5)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, half=PARTS[value])
    part = draft.step(row.names[1], "/", node, draft.given(row.names[0], value, constant=True))
    return draft.step(row.names[2], "-", node, part)


def plus_part(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + x / c`: half as much again."""
    value = int(draft.value(node))
    fits = [k for k in divisors(value, 5) if value + value // k <= limits.value]
    if not fits:
        return None
    factor = pick(source, fits)
    draft.tell(row.wordings, role, half=PARTS[factor])
    part = draft.step(row.names[1], "/", node, draft.given(row.names[0], factor, constant=True))
    return draft.step(row.names[2], "+", node, part)


def plus_multiple(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + x * c`: twice as many as before come on top."""
    fits = [factor for factor in TIMES if (factor + 1) * draft.value(node) <= limits.value]
    if not fits:
        return None
    factor = pick(source, fits)
    draft.tell(row.wordings, role, twice=TIMES[factor][0])
    more = draft.step(row.names[1], "*", node, draft.given(row.names[0], factor, constant=True))
    return draft.step(row.names[2], "+", node, more)


def percentage(op: Operation | None) -> Build:
    """`x * n / 100`, alone or taken off or put on top."""

    def build(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
        value = int(draft.value(node))
        fits = [
            p
            for p in PERCENTS
            if value * p % 100 == 0 and (op != "+" or value + value * p // 100 <= limits.value)
        ]
        if not fits:
            return None
        percent = pick(source, fits)
        draft.tell(row.wordings, role, n=percent)
        scaled = draft.step(row.names[1], "*", node, draft.given(row.names[0], percent))
        part = draft.step(row.names[2], "/", scaled, draft.given("hundred", 100, constant=True))
        return draft.step(row.names[3], op, node, part) if op else part

    return build
