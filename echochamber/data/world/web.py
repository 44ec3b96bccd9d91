"""Comparison stories: each person's number follows from another's."""

from . import cast
from .config import WorldConfig
from .draft import Draft
from .patterns import PATTERNS, Limits
from .rows import Web
from .stream import Stream, between, pick, shuffled


def grow_web(
    draft: Draft, web: Web, operations: int, limits: Limits, config: WorldConfig, source: Stream
) -> Draft | None:
    """Relations, then a question after one person, two of them, a difference or everyone."""
    people = shuffled(source, cast.people(config))
    asks = [kind for kind in ("last", "both", "difference", "everyone") if _relations(kind, operations)]
    kind = pick(source, asks)
    count = _relations(kind, operations)
    if count + 1 > len(people):
        return None
    names = [name for name, _ in people[: count + 1]]
    nodes = _relate(draft, web, names, kind == "everyone", limits, source)
    if nodes is None:
        return None
    return draft if _ask(draft, web, kind, names, nodes, limits) else None


def _relations(kind: str, operations: int) -> int:
    """How many comparisons leave room for the question; 0 when it does not fit."""
    if kind == "last":
        return operations
    if kind == "everyone":
        return operations // 2 if operations % 2 == 0 and operations >= 4 else 0
    return operations - 1


def _relate(
    draft: Draft, web: Web, names: list[str], free: bool, limits: Limits, source: Stream
) -> list[int] | None:
    """The first person's number and one comparison each; `free`: with anyone named before."""
    value = between(source, 3, limits.value // 2)
    first = f"{names[0].lower()}_{web.measure}"
    draft.tell(web.first, "fact", n=value, a=names[0])
    nodes = [draft.given(first, value, owner=names[0])]
    for person in names[1:]:
        other = between(source, 0, len(nodes) - 1) if free else len(nodes) - 1
        node = None
        for _ in range(8):
            relation = pick(source, web.relations)
            told = len(draft.told)
            row = relation
            size = len(draft.nodes)
            node = PATTERNS[row.pattern][1](draft, nodes[other], row, limits, source, "fact")
            if node is not None:
                draft.told[told].slots |= {"a": person, "b": names[other]}
                for new in draft.nodes[size:]:
                    new.owner = person
                    new.name = f"{person.lower()}_{web.measure}" if new.op else f"{person.lower()}_{new.name}"
                break
        if node is None:
            return None
        nodes.append(node)
    return nodes


def _ask(draft: Draft, web: Web, kind: str, names: list[str], nodes: list[int], limits: Limits) -> bool:
    """Add the question and its steps; False when the numbers do not allow it."""
    if kind == "last":
        draft.tell(web.last, "closing", a=names[-1])
    elif kind == "both":
        draft.step("total", "+", nodes[-2], nodes[-1])
        draft.tell(web.both, "closing", a=names[-2], b=names[-1])
    elif kind == "difference":
        larger, smaller = (-1, -2) if draft.value(nodes[-1]) > draft.value(nodes[-2]) else (-2, -1)
        draft.step("difference", "-", nodes[larger], nodes[smaller])
        draft.tell(web.difference, "closing", a=names[larger], b=names[smaller])
    else:
        total = nodes[0]
        for node in nodes[1:]:
            total = draft.step("total", "+", total, node)
        draft.tell(web.everyone, "closing", all=", ".join(names[:-1]) + " and " + names[-1])
    return draft.value(len(draft.nodes) - 1) <= limits.value
