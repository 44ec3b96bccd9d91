"""Seeded choices that depend on `random()` alone, so any generator with that method will do.

`random.Random` guarantees its sequence of `random()` across Python versions, and nothing else of
it; it is seeded here with the 64-bit keys of `core.random` and is much faster for scalars than a
NumPy generator, which fits the same protocol.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar, runtime_checkable

from ...core.keys import key

T = TypeVar("T")


@runtime_checkable
class Stream(Protocol):
    """A source of uniforms in [0, 1)."""

    def random(self) -> float:
        """The next uniform."""
        ...


def stream(*keys: int | str) -> Stream:
    """A stream of its own for these keys."""
    return Random(key(*keys))


def below(source: Stream, count: int) -> int:
    """An integer in 0 .. count-1."""
    return int(source.random() * count)


def between(source: Stream, low: int, high: int) -> int:
    """An integer in low .. high, both included."""
    return low + int(source.random() * (high - low + 1))


def pick(source: Stream, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(source.random() * len(options))]


def chance(source: Stream, probability: float) -> bool:
    """True with the given probability; 0 and 1 are never and always."""
    return source.random() < probability


def shuffled(source: Stream, items: Sequence[T]) -> list[T]:
    """A permuted copy (Fisher and Yates)."""
    result = list(items)
    for last in range(len(result) - 1, 0, -1):
        other = int(source.random() * (last + 1))
        result[last], result[other] = result[other], result[last]
    return result
