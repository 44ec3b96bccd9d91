"""Growing a problem of exactly so many operations out of a family's rows."""

from . import vocabulary
from .comparisons import grow_comparisons
from .config import WorldConfig
from .draft import Draft
from .number_types import QuantityLimits
from .patterns import RowUse, build_row, num_operations
from .rows import Family, StoryRow, SummandRow
from .stream import Stream, between, pick, shuffled

_TRIES = 12
"""Draws of one row before the whole problem is drawn anew."""


def grow(family: Family, operations: int, config: WorldConfig, source: Stream) -> Draft | None:
    """A draft with `operations` steps, or None when no operation stays within the limits of the numbers."""
    draft = Draft(context=vocabulary.draw(family, config, source))
    most = min(family.most or config.max_value, config.max_value)
    limits = QuantityLimits(most, min(family.small, most // 4))
    if family.comparisons is not None:
        return grow_comparisons(draft, family.comparisons, operations, limits, config, source)
    closing = pick(source, [row for row in family.closings if num_operations(row) <= operations])
    left = operations - num_operations(closing)
    node, left = _open(draft, family, left, limits, config, source)
    if node is None:
        return None
    previous = None
    while left:
        fits = [row for row in family.events if num_operations(row) <= left and row is not previous]
        previous, node = _happen(draft, node, fits, limits, source)
        if previous is None or node is None:
            return None
        left -= num_operations(previous)
    return draft if build_row(draft, node, RowUse(closing, limits, source, "closing")) is not None else None


def _open(
    draft: Draft, family: Family, most: int, limits: QuantityLimits, config: WorldConfig, source: Stream
) -> tuple[int | None, int]:
    """The first running value and how many operations are left after it."""
    if family.parts:
        spend = most if not family.events else between(source, min(1, most), most)
        node = _open_with_parts(draft, family, spend, limits, config, source)
        return node, most - spend
    least = 0 if family.events else most
    opening = pick(source, [row for row in family.openings if least <= num_operations(row) <= most])
    node = build_row(draft, -1, RowUse(opening, limits, source, "opening"))
    if node is not None:
        draft.told[0].late = opening.late
    return node, most - num_operations(opening)


def _happen(
    draft: Draft, node: int, rows: list[StoryRow], limits: QuantityLimits, source: Stream
) -> tuple[StoryRow | None, int | None]:
    """The first row, in a random order, whose numbers fit."""
    for _ in range(_TRIES if rows else 0):
        row = pick(source, rows)
        after = build_row(draft, node, RowUse(row, limits, source, "event"))
        if after is not None:
            return row, after
    return None, None


def _open_with_parts(
    draft: Draft, family: Family, spend: int, limits: QuantityLimits, config: WorldConfig, source: Stream
) -> int | None:
    """Summands that cost `spend` operations in all: products cost one, and so does each plus."""
    count_most = min(spend + 1, len(vocabulary.words(family, family.parts_from, config)))
    # j parts of which p are products cost p + j - 1; so p = spend + 1 - j must lie in 0 .. j.
    singles = any(row.pattern == "n" for row in family.parts)
    counts = [
        j for j in range(1, count_most + 1) if 0 <= spend + 1 - j <= j and (singles or spend + 1 - j == j)
    ]
    if not counts:
        return None
    count = pick(source, counts)
    products = spend + 1 - count
    kinds = shuffled(source, ["*"] * products + ["n"] * (count - products))
    items = shuffled(source, vocabulary.words(family, family.parts_from, config))[:count]
    share = QuantityLimits(limits.value // count, limits.factor)
    total: int | None = None
    for kind, item in zip(kinds, items, strict=True):
        row = pick(source, [row for row in family.parts if row.pattern == kind])
        node = _summand(draft, row, item, share, source)
        total = node if total is None else draft.step(family.total, "+", total, node)
    return total


def _summand(draft: Draft, row: SummandRow, item: str, limits: QuantityLimits, source: Stream) -> int:
    one = vocabulary.singular(item)
    names = [name.replace("{item}", one.lower().replace(" ", "_")) for name in row.names]
    if row.pattern == "n":
        value = between(source, 2, limits.value)
        draft.tell(row.wordings, "fact", n=value, item=item, one=one)
        return draft.given(names[0], value)
    first = between(source, 2, max(2, min(limits.factor, limits.value // 2)))
    second = between(source, 2, max(2, min(limits.factor, limits.value // first)))
    draft.tell(row.wordings, "fact", a=first, b=second, item=item, one=one)
    return draft.step(names[2], "*", draft.given(names[0], first), draft.given(names[1], second))
