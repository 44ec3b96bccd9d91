"""The same for amounts in quarters, for the family with fractions."""

from fractions import Fraction

from ...core.numbers import Number
from .draft import Draft
from .limits import Limits
from .rows import Row
from .stream import Stream, between


def _quarters(source: Stream, low: int, high: int) -> Number:
    """Between low and high quarters; whole amounts as integers."""
    count = between(source, low, high)
    return Fraction(count, 4) if count % 4 else count // 4


def start_quarters(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """A given amount in quarters to begin with."""
    value = _quarters(source, 5, 48)
    draft.tell(row.wordings, role, n=value)
    return draft.given(row.names[0], value)


def product_of_quarters(
    draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`a * b` with an amount in quarters."""
    first, second = _quarters(source, 5, 24), between(source, 2, min(8, limits.factor))
    draft.tell(row.wordings, role, a=first, b=second)
    return draft.step(row.names[2], "*", draft.given(row.names[0], first), draft.given(row.names[1], second))


def plus_quarters(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + n` with an amount in quarters."""
    value = _quarters(source, 5, 32)
    if draft.value(node) + value > limits.value:
        return None
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "+", node, draft.given(row.names[0], value))


def minus_quarters(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`x - n` with an amount in quarters."""
    most = int(draft.value(node) * 4) - 4
    if most < 5:
        return None
    value = _quarters(source, 5, min(most, 80))
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "-", node, draft.given(row.names[0], value))


def minus_from_quarters(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`n - x` from an amount in quarters."""
    least = int(draft.value(node) * 4) + 4
    value = _quarters(source, least, least + 80)
    if value > limits.value:
        return None
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "-", draft.given(row.names[0], value), node)


def halve(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x / 2`, as long as eighths are enough."""
    if Fraction(draft.value(node)).denominator > 4:
        return None
    draft.tell(row.wordings, role)
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], 2, constant=True))


def plus_product_of_quarters(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`x + a * b` with an amount in quarters."""
    first, second = _quarters(source, 1, 16), between(source, 2, 6)
    if draft.value(node) + first * second > limits.value or first == 1:
        return None
    draft.tell(row.wordings, role, a=first, b=second)
    product = draft.step(
        row.names[2], "*", draft.given(row.names[0], first), draft.given(row.names[1], second)
    )
    return draft.step(row.names[3], "+", node, product)
