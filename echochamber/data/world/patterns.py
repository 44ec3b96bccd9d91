"""What can happen to a running value: the table of patterns and how each is built.

A pattern draws its numbers, tells its sentence and adds its steps to the draft. It returns the new
running node, or None where no numbers fit.

In the keys `n`, `a`, `b` are numbers that the question gives, `q` is an amount in quarters, `c` is a
constant that the words imply (doubles, half) and `x` is the running value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ...core.numbers import Number
from ...core.types import Operation
from .draft import Draft
from .number_types import QUARTERS, WHOLE, NumberType, QuantityLimits, divisors, factors
from .rows import StoryRow
from .stream import Stream, between, pick

TIMES = {2: ("twice", "doubles", "double"), 3: ("three times", "triples", "triple")}
PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
PERCENTS = (10, 20, 25, 30, 40, 50, 60, 75, 80)


@dataclass(frozen=True, slots=True)
class RowUse:
    """One use of a row in a story."""

    row: StoryRow
    limits: QuantityLimits
    source: Stream
    role: str
    """Of its sentence: see `draft.Told`."""


Build = Callable[[Draft, int, RowUse], int | None]
"""(draft, running node or -1 for openings, row in use) -> new running node, or None."""


def _only_ask(draft: Draft, node: int, use: RowUse) -> int | None:
    """Nothing happens; the question is asked."""
    draft.tell(use.row.wordings, use.role)
    return node


def _start(numbers: NumberType) -> Build:
    """A given number to begin with."""

    def build(draft: Draft, _: int, use: RowUse) -> int | None:
        number = numbers.first(use.limits, use.source)
        draft.tell(use.row.wordings, use.role, n=number)
        return draft.given(use.row.names[0], number)

    return build


def _sum_of_two(draft: Draft, _: int, use: RowUse) -> int | None:
    """Two given numbers added: `a + b`."""
    first = between(use.source, 2, use.limits.value - 2)
    second = between(use.source, 2, use.limits.value - first)
    draft.tell(use.row.wordings, use.role, a=first, b=second)
    nodes = draft.given(use.row.names[0], first), draft.given(use.row.names[1], second)
    return draft.step(use.row.names[2], "+", *nodes)


def _tell_product(draft: Draft, use: RowUse, pair: tuple[Number, int]) -> int:
    """Tell two factors; the node of their product."""
    draft.tell(use.row.wordings, use.role, a=pair[0], b=pair[1])
    nodes = draft.given(use.row.names[0], pair[0]), draft.given(use.row.names[1], pair[1])
    return draft.step(use.row.names[2], "*", *nodes)


def _product(numbers: NumberType) -> Build:
    """Groups of equal size: `a * b`."""

    def build(draft: Draft, _: int, use: RowUse) -> int | None:
        pair = numbers.product(use.limits, use.source)
        return None if pair is None else _tell_product(draft, use, pair)

    return build


def _product_of_three(draft: Draft, _: int, use: RowUse) -> int | None:
    """Groups of groups: `a * b * c`."""
    largest = min(use.limits.factor, 7)  # a week has seven days
    values = [between(use.source, 2, largest) for _ in range(3)]
    if values[0] * values[1] * values[2] > use.limits.value:
        return None
    names = use.row.names
    draft.tell(use.row.wordings, use.role, a=values[0], b=values[1], c=values[2])
    first, second, third = (draft.given(name, value) for name, value in zip(names, values, strict=False))
    return draft.step(names[4], "*", draft.step(names[3], "*", first, second), third)


def _plus(numbers: NumberType) -> Build:
    """`x + n`."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        number = numbers.summand(draft.value(node), use.limits, use.source)
        if number is None:
            return None
        draft.tell(use.row.wordings, use.role, n=number)
        return draft.step(use.row.names[1], "+", node, draft.given(use.row.names[0], number))

    return build


def _minus(numbers: NumberType) -> Build:
    """`x - n`, with something left."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        number = numbers.subtrahend(draft.value(node), use.source)
        if number is None:
            return None
        draft.tell(use.row.wordings, use.role, n=number)
        return draft.step(use.row.names[1], "-", node, draft.given(use.row.names[0], number))

    return build


def _minus_from(numbers: NumberType) -> Build:
    """`n - x`: what is missing to a given number."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        number = numbers.minuend(draft.value(node), use.limits, use.source)
        if number is None:
            return None
        draft.tell(use.row.wordings, use.role, n=number)
        return draft.step(use.row.names[1], "-", draft.given(use.row.names[0], number), node)

    return build


def _plus_product(numbers: NumberType) -> Build:
    """`x + a * b`."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        pair = numbers.product_to_add(draft.value(node), use.limits, use.source)
        if pair is None:
            return None
        return draft.step(use.row.names[3], "+", node, _tell_product(draft, use, pair))

    return build


def _minus_product(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x - a * b`, with something left."""
    pair = factors(int(draft.value(node)) - 1, use.limits, use.source)
    if pair is None:
        return None
    return draft.step(use.row.names[3], "-", node, _tell_product(draft, use, pair))


def _times(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x * n`."""
    most = min(use.limits.factor, int(use.limits.value // draft.value(node)))
    if most < 2:
        return None
    number = between(use.source, 2, most)
    draft.tell(use.row.wordings, use.role, n=number)
    return draft.step(use.row.names[1], "*", node, draft.given(use.row.names[0], number))


def _times_constant(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x * c`, the constant in words: twice, triples."""
    fits = [factor for factor in TIMES if factor * draft.value(node) <= use.limits.value]
    if not fits:
        return None
    factor = pick(use.source, fits)
    twice, doubles, double = TIMES[factor]
    draft.tell(use.row.wordings, use.role, twice=twice, doubles=doubles, double=double)
    return draft.step(use.row.names[1], "*", node, draft.given(use.row.names[0], factor, constant=True))


def _divide(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x / n`, exact and more than 1."""
    fits = divisors(int(draft.value(node)), use.limits.factor)
    if not fits:
        return None
    number = pick(use.source, fits)
    draft.tell(use.row.wordings, use.role, n=number)
    return draft.step(use.row.names[1], "/", node, draft.given(use.row.names[0], number))


def _divide_by_constant(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x / c`, the constant in words: half, a third."""
    fits = divisors(int(draft.value(node)), 5)
    if not fits:
        return None
    number = pick(use.source, fits)
    draft.tell(use.row.wordings, use.role, half=PARTS[number])
    return draft.step(use.row.names[1], "/", node, draft.given(use.row.names[0], number, constant=True))


def _divide_by_count(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x / c`, the constant being how many parts were told: an average, exact."""
    parts = sum(told.role == "fact" for told in draft.told)
    if parts < 2 or draft.value(node) % parts:
        return None
    draft.tell(use.row.wordings, use.role)
    return draft.step(use.row.names[1], "/", node, draft.given(use.row.names[0], parts, constant=True))


def _halve(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x / 2`, as long as eighths are enough."""
    if Fraction(draft.value(node)).denominator > 4:
        return None
    draft.tell(use.row.wordings, use.role)
    return draft.step(use.row.names[1], "/", node, draft.given(use.row.names[0], 2, constant=True))


def _change_by_part(op: Operation) -> Build:
    """`x - x / c` or `x + x / c`: half of it goes, or half as much again comes."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        value = int(draft.value(node))
        fits = [k for k in divisors(value, 5) if op == "-" or value + value // k <= use.limits.value]
        if not fits:
            return None
        number, names = pick(use.source, fits), use.row.names
        draft.tell(use.row.wordings, use.role, half=PARTS[number])
        part = draft.step(names[1], "/", node, draft.given(names[0], number, constant=True))
        return draft.step(names[2], op, node, part)

    return build


def _plus_multiple(draft: Draft, node: int, use: RowUse) -> int | None:
    """`x + x * c`: twice as many as before come on top."""
    fits = [factor for factor in TIMES if (factor + 1) * draft.value(node) <= use.limits.value]
    if not fits:
        return None
    factor, names = pick(use.source, fits), use.row.names
    draft.tell(use.row.wordings, use.role, twice=TIMES[factor][0])
    more = draft.step(names[1], "*", node, draft.given(names[0], factor, constant=True))
    return draft.step(names[2], "+", node, more)


def _percentage(op: Operation | None) -> Build:
    """`x * n / 100`, alone or taken off or put on top."""

    def build(draft: Draft, node: int, use: RowUse) -> int | None:
        value, names = int(draft.value(node)), use.row.names
        fits = [percent for percent in PERCENTS if value * percent % 100 == 0]
        if op == "+":
            fits = [percent for percent in fits if value + value * percent // 100 <= use.limits.value]
        if not fits:
            return None
        percent = pick(use.source, fits)
        draft.tell(use.row.wordings, use.role, n=percent)
        scaled = draft.step(names[1], "*", node, draft.given(names[0], percent))
        part = draft.step(names[2], "/", scaled, draft.given("hundred", 100, constant=True))
        return draft.step(names[3], op, node, part) if op else part

    return build


PATTERNS: dict[str, tuple[int, Build]] = {
    "": (0, _only_ask),
    "n": (0, _start(WHOLE)),
    "a+b": (1, _sum_of_two),
    "ab": (1, _product(WHOLE)),
    "abc": (2, _product_of_three),
    "+n": (1, _plus(WHOLE)),
    "-n": (1, _minus(WHOLE)),
    "n-x": (1, _minus_from(WHOLE)),
    "*n": (1, _times),
    "*c": (1, _times_constant),
    "/n": (1, _divide),
    "/c": (1, _divide_by_constant),
    "+ab": (2, _plus_product(WHOLE)),
    "-ab": (2, _minus_product),
    "/parts": (1, _divide_by_count),
    "q": (0, _start(QUARTERS)),
    "q*n": (1, _product(QUARTERS)),
    "+q": (1, _plus(QUARTERS)),
    "-q": (1, _minus(QUARTERS)),
    "nq-x": (1, _minus_from(QUARTERS)),
    "/h": (1, _halve),
    "+q*n": (2, _plus_product(QUARTERS)),
    "-x/c": (2, _change_by_part("-")),
    "+x/c": (2, _change_by_part("+")),
    "+x*c": (2, _plus_multiple),
    "%n": (2, _percentage(None)),
    "-%n": (3, _percentage("-")),
    "+%n": (3, _percentage("+")),
}
"""Pattern -> (number of operations, builder)."""


def num_operations(row: StoryRow) -> int:
    """How many operations a row adds."""
    return PATTERNS[row.pattern][0]


def build_row(draft: Draft, node: int, use: RowUse) -> int | None:
    """Apply a row's pattern to the running node; the new one, or None where no numbers fit."""
    return PATTERNS[use.row.pattern][1](draft, node, use)
