"""Canonical structure of a graph: what makes two problems the same, whatever their words.

The structure is the expression that answers, with its values; sums and products are flattened and
their terms put in order, so `3 + (5 + 2)` and `(2 + 3) + 5` are one structure. The shape is the same
with the values left out. Names, owners, units and unused numbers play no part.
"""

import hashlib

from ...core.types import SolutionGraph, Split

_BUCKETS = 20
_DEV, _TEST = 16, 18
"""Buckets 0-15 are train (80%), 16-17 dev, 18-19 test."""
_POOLS = 32
"""One pool in this many is kept for `overlap`, and one for `overlap_clean`."""


Term = tuple[str, list[str]]
"""An operation with its operands in order; a single number has operation `` and one operand."""


def expression(graph: SolutionGraph, values: bool = True) -> str:
    """The canonical expression of the last step: `(- (* 3 6) 4)`, or its shape `(- (* # #) #)`."""
    terms: list[Term] = [("", [str(quantity.value) if values else "#"]) for quantity in graph.quantities]
    for step in graph.steps:
        terms.append(combine(step.op, terms[step.left], terms[step.right]))
    return text_of_term(terms[-1])


def combine(op: str, left: Term, right: Term) -> Term:
    """One operation in canonical form: chains of one commutative sign become a sorted list."""
    if op == "-" or op == "/":
        return op, [text_of_term(left), text_of_term(right)]
    flat = [
        *(left[1] if left[0] in (op, "") else [text_of_term(left)]),
        *(right[1] if right[0] in (op, "") else [text_of_term(right)]),
    ]
    flat.sort()
    return op, flat


def text_of_term(term: Term) -> str:
    """A term as text."""
    return f"({term[0]} {' '.join(term[1])})" if term[0] else term[1][0]


def digest(text: str) -> int:
    """64 bits of a text, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def split_of(structure: int) -> Split:
    """The only split in which a structure may occur."""
    bucket = structure % _BUCKETS
    return "train" if bucket < _DEV else "dev" if bucket < _TEST else "test"


def pool_of(structure: int) -> str:
    """`overlap`, `overlap_clean` or `` (the ordinary pool); independent of the split."""
    pool = structure // _BUCKETS % _POOLS
    return "overlap" if pool == 0 else "overlap_clean" if pool == 1 else ""


def is_novel(shape: str, operations: int, share: float) -> bool:
    """True for shapes that are held out of everything but the `novel` set."""
    return operations >= 3 and digest("shape " + shape) < share * 2.0**64
