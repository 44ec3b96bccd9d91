"""Comparison stories: each person's number follows from another's."""

from . import vocabulary
from .config import WorldConfig
from .draft import Draft
from .number_types import QuantityLimits
from .patterns import RowUse, build_row
from .rows import Comparisons, StoryRow
from .stream import Stream, between, pick, shuffled

_TRIES = 8
"""Draws of one comparison before the whole problem is drawn anew."""


def grow_comparisons(
    draft: Draft,
    texts: Comparisons,
    operations: int,
    limits: QuantityLimits,
    config: WorldConfig,
    source: Stream,
) -> Draft | None:
    """Relations, then a question after one person, two of them, a difference or everyone."""
    people = shuffled(source, vocabulary.people(config))
    asks = [kind for kind in ("last", "both", "difference", "everyone") if _relations(kind, operations)]
    kind = pick(source, asks)
    count = _relations(kind, operations)
    if count + 1 > len(people):
        return None
    names = [name for name, _ in people[: count + 1]]
    nodes = _relate(draft, texts, names, kind, limits, source)
    if nodes is None:
        return None
    _ask(draft, texts, kind, names, nodes)
    return draft if draft.value(len(draft.nodes) - 1) <= config.max_value else None


def _relations(kind: str, operations: int) -> int:
    """How many comparisons leave room for the question; 0 when it does not fit."""
    if kind == "last":
        return operations
    if kind == "everyone":
        return operations // 2 if operations % 2 == 0 and operations >= 4 else 0
    return operations - 1


def _relate(
    draft: Draft, texts: Comparisons, names: list[str], kind: str, limits: QuantityLimits, source: Stream
) -> list[int] | None:
    """The first person's number, then one comparison each with the person before.

    For `everyone` it is any person before.
    """
    value = between(source, 3, limits.value // 2)
    first = f"{names[0].lower()}_{texts.measure}"
    draft.tell(texts.first, "fact", n=value, a=names[0])
    nodes = [draft.given(first, value, owner=names[0])]
    for person in names[1:]:
        other = between(source, 0, len(nodes) - 1) if kind == "everyone" else len(nodes) - 1
        rows = texts.relations
        if kind == "difference" and person == names[-1]:
            # After "12 more than Ben", the difference to Ben would be a number of the question.
            rows = tuple(row for row in rows if row.pattern[0] in "*/")
        node = _compare(draft, texts, person, names[other], nodes[other], rows, limits, source)
        if node is None:
            return None
        nodes.append(node)
    return nodes


def _compare(
    draft: Draft,
    texts: Comparisons,
    person: str,
    other: str,
    node: int,
    rows: tuple[StoryRow, ...],
    limits: QuantityLimits,
    source: Stream,
) -> int | None:
    """One comparison whose numbers fit: its sentence, and its nodes named after the person."""
    size = len(draft.nodes)
    for _ in range(_TRIES):
        row = pick(source, rows)
        after = build_row(draft, node, RowUse(row, limits, source, "fact"))
        if after is not None:
            draft.told[-1].slots |= {"a": person, "b": other}
            for new in draft.nodes[size:]:
                new.owner = person
                new.name = f"{person.lower()}_{texts.measure}" if new.op else f"{person.lower()}_{new.name}"
            return after
    return None


def _ask(draft: Draft, texts: Comparisons, kind: str, names: list[str], nodes: list[int]) -> None:
    """Add the question and its steps."""
    if kind == "last":
        draft.tell(texts.last, "closing", a=names[-1])
    elif kind == "both":
        draft.step("total", "+", nodes[-2], nodes[-1])
        draft.tell(texts.both, "closing", a=names[-2], b=names[-1])
    elif kind == "difference":
        larger, smaller = (-1, -2) if draft.value(nodes[-1]) > draft.value(nodes[-2]) else (-2, -1)
        draft.step("difference", "-", nodes[larger], nodes[smaller])
        draft.tell(texts.difference, "closing", a=names[larger], b=names[smaller])
    else:
        total = nodes[0]
        for node in nodes[1:]:
            total = draft.step("total", "+", total, node)
        draft.tell(texts.everyone, "closing", all=", ".join(names[:-1]) + " and " + names[-1])
