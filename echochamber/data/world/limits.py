"""What every pattern is given: how large numbers may get, and the shape of its function.

A pattern draws its numbers, tells its sentence and adds its steps to the draft, or says that its
numbers do not fit. Its function gets the draft, the running node (-1 for openings), the row, the
limits, a stream and the sentence's role; it returns the new running node, or None.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .draft import Draft
from .rows import Row
from .stream import Stream, between


@dataclass(frozen=True, slots=True)
class Limits:
    """How large numbers may get."""

    value: int
    factor: int


Build = Callable[[Draft, int, Row, Limits, Stream, str], int | None]
"""(draft, node, row, limits, stream, role) -> new node."""


def factors(largest: int, limits: Limits, source: Stream) -> tuple[int, int] | None:
    """Two factors of at least 2 with a product of at most `largest`."""
    if largest < 4:
        return None
    first = between(source, 2, min(limits.factor, largest // 2))
    return first, between(source, 2, max(2, min(limits.factor, largest // first)))


def divisors(value: int, most: int) -> list[int]:
    """Divisors from 2 to `most` that leave more than 1."""
    return [k for k in range(2, min(most, value // 2) + 1) if value % k == 0]
