"""How stories begin: a number, a sum, a product."""

from .draft import Draft
from .limits import Limits, factors
from .rows import Row
from .stream import Stream, between


def start(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """A given number to begin with."""
    value = between(source, 3, limits.value)
    draft.tell(row.wordings, role, n=value)
    return draft.given(row.names[0], value)


def two_numbers(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """Two given numbers added: `a + b`."""
    first = between(source, 2, limits.value - 2)
    second = between(source, 2, limits.value - first)
    draft.tell(row.wordings, role, a=first, b=second)
    nodes = draft.given(row.names[0], first), draft.given(row.names[1], second)
    return draft.step(row.names[2], "+", *nodes)


def product(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """Groups of equal size: `a * b`."""
    found = factors(limits.value, limits, source)
    if found is None:
        return None
    draft.tell(row.wordings, role, a=found[0], b=found[1])
    nodes = draft.given(row.names[0], found[0]), draft.given(row.names[1], found[1])
    return draft.step(row.names[2], "*", *nodes)


def triple_product(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """Groups of groups: `a * b * c`."""
    largest = min(limits.factor, 7)  # a week has seven days
    values = [between(source, 2, largest) for _ in range(3)]
    if values[0] * values[1] * values[2] > limits.value:
        return None
    draft.tell(row.wordings, role, a=values[0], b=values[1], c=values[2])
    first, second, third = (draft.given(name, value) for name, value in zip(row.names, values, strict=False))
    return draft.step(row.names[4], "*", draft.step(row.names[3], "*", first, second), third)
