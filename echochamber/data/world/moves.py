"""What changes a running value by one given number or product, or by a constant in words."""

from ...core.types import Operation
from .draft import Draft
from .limits import Build, Limits, divisors, factors
from .rows import Row
from .stream import Stream, between, pick

TIMES = {2: ("twice", "doubles", "double"), 3: ("three times", "triples", "triple")}
PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}


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


def times_constant(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`x * c`, the constant in words: twice, triples."""
    fits = [factor for factor in TIMES if factor * draft.value(node) <= limits.value]
    if not fits:
        return None
    factor = pick(source, fits)
    twice, doubles, double = TIMES[factor]
    draft.tell(row.wordings, role, twice=twice, doubles=doubles, double=double)
    return draft.step(row.names[1], "*", node, draft.given(row.names[0], factor, constant=True))


def divide(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """`x / n`, exact and more than 1."""
    fits = divisors(int(draft.value(node)), limits.factor)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, n=value)
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], value))


def divide_constant(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`x / c`, the constant in words: half, a third."""
    fits = divisors(int(draft.value(node)), 5)
    if not fits:
        return None
    value = pick(source, fits)
    draft.tell(row.wordings, role, half=PARTS[value])
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], value, constant=True))


def divide_by_parts(
    draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str
) -> int | None:
    """`x / c`, the constant being how many parts were told: an average, exact."""
    parts = sum(told.role == "fact" for told in draft.told)
    if parts < 2 or draft.value(node) % parts:
        return None
    draft.tell(row.wordings, role)
    return draft.step(row.names[1], "/", node, draft.given(row.names[0], parts, constant=True))


def with_product(op: Operation) -> Build:
    """`x + a * b` or `x - a * b`."""

    def build(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
        value = int(draft.value(node))
        found = factors(limits.value - value if op == "+" else value - 1, limits, source)
        if found is None:
            return None
        draft.tell(row.wordings, role, a=found[0], b=found[1])
        nodes = draft.given(row.names[0], found[0]), draft.given(row.names[1], found[1])
        return draft.step(row.names[3], op, node, draft.step(row.names[2], "*", *nodes))

    return build
