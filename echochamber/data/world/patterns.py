"""What can happen to a running value: each pattern draws its numbers, or says it does not fit.

`n`, `a`, `b`, `k` are numbers that the question gives; `c` is a constant that its words imply
(doubles, half). A function gets the draft, the running node (-1 for openings), the row, the largest
value allowed, the largest factor and a stream; it returns the new running node, or None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ...core.numbers import Number
from ...core.types import Operation
from .draft import Draft
from .rows import Row
from .stream import Stream, between, pick

TIMES = {2: ("twice", "doubles", "double"), 3: ("three times", "triples", "triple")}
PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
PERCENTS = (10, 20, 25, 30, 40, 50, 60, 75, 80)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large numbers may get."""

    value: int
    factor: int


Build = Callable[[Draft, int, Row, Limits, Stream, str], int | None]


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


def _factors(largest: int, limits: Limits, source: Stream) -> tuple[int, int] | None:
    """Two factors of at least 2 with a product of at most `largest`."""
    if largest < 4:
        return None
    first = between(source, 2, min(limits.factor, largest // 2))
    return first, between(source, 2, max(2, min(limits.factor, largest // first)))


def product(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """Groups of equal size: `a * b`."""
    factors = _factors(limits.value, limits, source)
    if factors is None:
        return None
    draft.tell(row.wordings, role, a=factors[0], b=factors[1])
    nodes = draft.given(row.names[0], factors[0]), draft.given(row.names[1], factors[1])
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


def plus(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + n`."""
    room = limits.value - int(draft.value(node))
    if room < 2:
        return None
    value = between(source, 2, room)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "+", node, draft.given(row.names[0], value))


def minus(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x - n`, with something left."""
    most = int(draft.value(node)) - 1
    if most < 2:
        return None
    value = between(source, 2, most)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "-", node, draft.given(row.names[0], value))


def minus_from(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`n - x`: what is missing to a given number."""
    least = int(draft.value(node)) + 1
    if least >= limits.value:
        return None
    value = between(source, least, limits.value)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "-", draft.given(row.names[0], value), node)


def times(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x * n`."""
    most = min(limits.factor, int(limits.value // draft.value(node)))
    if most < 2:
        return None
    value = between(source, 2, most)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "*", node, draft.given(row.names[0], value))


def times_constant(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x * c`, the constant in words: twice, triples."""
    fits = [factor for factor in TIMES if factor * draft.value(node) <= limits.value]
    if not fits:
        return None
    factor = pick(source, fits)
    twice, doubles, double = TIMES[factor]
    draft.tell(row.wordings, role, twice=twice, doubles=doubles, double=double)
    return draft.step(row.names[1], "*", node, draft.given(row.names[0], factor, constant=True))


def _divisors(value: int, most: int) -> list[int]:
    return [k for k in range(2, min(most, value // 2) + 1) if value % k == 0]


def divide(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x / n`, exact and more than 1."""
    fits = _divisors(int(draft.value(node)), limits.factor)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], value))


def divide_constant(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x / c`, the constant in words: half, a third."""
    fits = _divisors(int(draft.value(node)), 5)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, half=PARTS[value])
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], value, constant=True))


def _minus_or_plus_product(op: Operation) -> Build:
    def build(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
        value = int(draft.value(node))
        factors = _factors(limits.value - value if op == "+" else value - 1, limits, source)
        if factors is None:
            return None
        draft.tell(row.wordings, role, a=factors[0], b=factors[1])
        nodes = draft.given(row.names[0], factors[0]), draft.given(row.names[1], factors[1])
        return draft.step(row.names[3], op, node, draft.step(row.names[2], "*", *nodes))

    return build


def minus_part(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x - x / c`: half of it, a third of it goes."""
    fits = _divisors(int(draft.value(node)), 5)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, half=PARTS[value])
    part = draft.step(row.names[1], "/", node, draft.given(row.names[0], value, constant=True))
    return draft.step(row.names[2], "-", node, part)


def plus_part(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + x / c`: half as much again."""
    value = int(draft.value(node))
    fits = [k for k in _divisors(value, 5) if value + value // k <= limits.value]
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


def _quarters(source: Stream, low: int, high: int) -> Number:
    """Between low and high quarters; whole amounts as integers."""
    count = between(source, low, high)
    return Fraction(count, 4) if count % 4 else count // 4


def start_quarters(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """A given amount in quarters to begin with."""
    value = _quarters(source, 5, 48)
    draft.tell(row.wordings, role, n=value)
    return draft.given(row.names[0], value)


def product_of_quarters(draft: Draft, _: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
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


def minus_quarters(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x - n` with an amount in quarters."""
    most = int(draft.value(node) * 4) - 4
    if most < 5:
        return None
    value = _quarters(source, 5, min(most, 80))
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "-", node, draft.given(row.names[0], value))


def minus_from_quarters(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
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


def plus_product_of_quarters(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x + a * b` with an amount in quarters."""
    first, second = _quarters(source, 1, 16), between(source, 2, 6)
    if draft.value(node) + first * second > limits.value or first == 1:
        return None
    draft.tell(row.wordings, role, a=first, b=second)
    product = draft.step(row.names[2], "*", draft.given(row.names[0], first), draft.given(row.names[1], second))
    return draft.step(row.names[3], "+", node, product)


def divide_by_parts(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x / c`, the constant being how many parts were told: an average, exact."""
    parts = sum(told.role == "fact" for told in draft.told)
    if parts < 2 or draft.value(node) % parts:
        return None
    draft.tell(row.wordings, role)
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], parts, constant=True))


def _percent(op: Operation | None) -> Build:
    """`x * n / 100`, alone or taken off or put on top."""

    def build(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
        value = int(draft.value(node))
        fits = [p for p in PERCENTS if value * p % 100 == 0 and (op != "+" or value + value * p // 100 <= limits.value)]
        if not fits:
            return None
        percent = pick(source, fits)
        draft.tell(row.wordings, role, n=percent)
        scaled = draft.step(row.names[1], "*", node, draft.given(row.names[0], percent))
        part = draft.step(row.names[2], "/", scaled, draft.given("hundred", 100, constant=True))
        return draft.step(row.names[3], op, node, part) if op else part

    return build


PATTERNS: dict[str, tuple[int, Build]] = {
    "": (0, lambda draft, node, row, limits, source, role: draft.tell(row.wordings, role) or node),  # type: ignore[func-returns-value]
    "n": (0, start),
    "a+b": (1, two_numbers),
    "ab": (1, product),
    "abc": (2, triple_product),
    "+n": (1, plus),
    "-n": (1, minus),
    "n-x": (1, minus_from),
    "*n": (1, times),
    "*c": (1, times_constant),
    "/n": (1, divide),
    "/c": (1, divide_constant),
    "+ab": (2, _minus_or_plus_product("+")),
    "-ab": (2, _minus_or_plus_product("-")),
    "/parts": (1, divide_by_parts),
    "q": (0, start_quarters),
    "q*n": (1, product_of_quarters),
    "+q": (1, plus_quarters),
    "-q": (1, minus_quarters),
    "nq-x": (1, minus_from_quarters),
    "/h": (1, halve),
    "+q*n": (2, plus_product_of_quarters),
    "-x/c": (2, minus_part),
    "+x/c": (2, plus_part),
    "+x*c": (2, plus_multiple),
    "%n": (2, _percent(None)),
    "-%n": (3, _percent("-")),
    "+%n": (3, _percent("+")),
}
"""Pattern -> (number of operations, builder)."""


def cost(row: Row) -> int:
    """How many operations a row adds."""
    return PATTERNS[row.pattern][0]
