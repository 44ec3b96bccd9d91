"""The table of all that can happen to a running value.

`n`, `a`, `b` are numbers that the question gives, `c` is a constant that its words imply (doubles,
half), `q` is an amount in quarters, `x` is the running value.
"""

from . import moves, openings, proportions, quarters
from .draft import Draft
from .limits import Build, Limits
from .rows import Row
from .stream import Stream


def _only_ask(draft: Draft, node: int, row: Row, limits: Limits, source: Stream, role: str) -> int | None:
    """Nothing happens; the question is asked."""
    del limits, source
    draft.tell(row.wordings, role)
    return node


PATTERNS: dict[str, tuple[int, Build]] = {
    "": (0, _only_ask),
    "n": (0, openings.start),
    "a+b": (1, openings.two_numbers),
    "ab": (1, openings.product),
    "abc": (2, openings.triple_product),
    "+n": (1, moves.plus),
    "-n": (1, moves.minus),
    "n-x": (1, moves.minus_from),
    "*n": (1, moves.times),
    "*c": (1, moves.times_constant),
    "/n": (1, moves.divide),
    "/c": (1, moves.divide_constant),
    "+ab": (2, moves.with_product("+")),
    "-ab": (2, moves.with_product("-")),
    "/parts": (1, moves.divide_by_parts),
    "q": (0, quarters.start_quarters),
    "q*n": (1, quarters.product_of_quarters),
    "+q": (1, quarters.plus_quarters),
    "-q": (1, quarters.minus_quarters),
    "nq-x": (1, quarters.minus_from_quarters),
    "/h": (1, quarters.halve),
    "+q*n": (2, quarters.plus_product_of_quarters),
    "-x/c": (2, proportions.minus_part),
    "+x/c": (2, proportions.plus_part),
    "+x*c": (2, proportions.plus_multiple),
    "%n": (2, proportions.percentage(None)),
    "-%n": (3, proportions.percentage("-")),
    "+%n": (3, proportions.percentage("+")),
}
"""Pattern -> (number of operations, builder)."""


def cost(row: Row) -> int:
    """How many operations a row adds."""
    return PATTERNS[row.pattern][0]
