"""The two types of number that a story may give: whole numbers, and amounts in quarters.

A type draws a number that fits the running value, or gives None where there is none. How many
uniforms it draws, and in which order, is part of every problem: the same seed gives the same text.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from ...core.numbers import Number
from .stream import Stream, between


@dataclass(frozen=True, slots=True)
class QuantityLimits:
    """How large numbers may get."""

    value: int
    """Largest given number and largest intermediate value."""
    factor: int
    """Largest factor of a product."""


def factors(largest: int, limits: QuantityLimits, source: Stream) -> tuple[int, int] | None:
    """Two factors of at least 2 with a product of at most `largest`."""
    if largest < 4:
        return None
    first = between(source, 2, min(limits.factor, largest // 2))
    return first, between(source, 2, max(2, min(limits.factor, largest // first)))


def divisors(value: int, most: int) -> list[int]:
    """Divisors from 2 to `most` that leave more than 1."""
    return [k for k in range(2, min(most, value // 2) + 1) if value % k == 0]


@runtime_checkable
class NumberType(Protocol):
    """Draws the numbers of one type; `value` is the running value."""

    def first(self, limits: QuantityLimits, source: Stream) -> Number:
        """A number to begin with."""
        ...

    def summand(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """n such that `value + n` stays within the limits."""
        ...

    def subtrahend(self, value: Number, source: Stream) -> Number | None:
        """n such that `value - n` leaves something."""
        ...

    def minuend(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """n such that `n - value` leaves something."""
        ...

    def product(self, limits: QuantityLimits, source: Stream) -> tuple[Number, int] | None:
        """Two factors to begin with."""
        ...

    def product_to_add(
        self, value: Number, limits: QuantityLimits, source: Stream
    ) -> tuple[Number, int] | None:
        """Two factors such that `value + a * b` stays within the limits."""
        ...


class Whole:
    """Whole numbers."""

    def first(self, limits: QuantityLimits, source: Stream) -> Number:
        """From 3 on."""
        return between(source, 3, limits.value)

    def summand(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """From 2 on."""
        most = limits.value - int(value)
        return between(source, 2, most) if most >= 2 else None

    def subtrahend(self, value: Number, source: Stream) -> Number | None:
        """From 2 on; at least 1 is left."""
        most = int(value) - 1
        return between(source, 2, most) if most >= 2 else None

    def minuend(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """At least 1 more than the value."""
        least = int(value) + 1
        return between(source, least, limits.value) if least < limits.value else None

    def product(self, limits: QuantityLimits, source: Stream) -> tuple[Number, int] | None:
        """Both at least 2."""
        return factors(limits.value, limits, source)

    def product_to_add(
        self, value: Number, limits: QuantityLimits, source: Stream
    ) -> tuple[Number, int] | None:
        """Both at least 2."""
        return factors(limits.value - int(value), limits, source)


class Quarters:
    """Amounts in quarters, for the family with fractions; whole amounts are integers."""

    @staticmethod
    def _between(source: Stream, low: int, high: int) -> Number:
        """An amount of `low` to `high` quarters."""
        count = between(source, low, high)
        return Fraction(count, 4) if count % 4 else count // 4

    def first(self, limits: QuantityLimits, source: Stream) -> Number:
        """From 5/4 to 12, whatever the limits."""
        return self._between(source, 5, 48)

    def summand(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """From 5/4 to 8."""
        number = self._between(source, 5, 32)
        return number if value + number <= limits.value else None

    def subtrahend(self, value: Number, source: Stream) -> Number | None:
        """From 5/4 to 20; at least 1 is left."""
        most = int(value * 4) - 4
        return self._between(source, 5, min(most, 80)) if most >= 5 else None

    def minuend(self, value: Number, limits: QuantityLimits, source: Stream) -> Number | None:
        """1 to 21 more than the value."""
        least = int(value * 4) + 4
        number = self._between(source, least, least + 80)
        return number if number <= limits.value else None

    def product(self, limits: QuantityLimits, source: Stream) -> tuple[Number, int] | None:
        """An amount from 5/4 to 6, taken 2 to 8 times."""
        return self._between(source, 5, 24), between(source, 2, min(8, limits.factor))

    def product_to_add(
        self, value: Number, limits: QuantityLimits, source: Stream
    ) -> tuple[Number, int] | None:
        """An amount from 1/4 to 4 other than 1, taken 2 to 6 times."""
        amount, times = self._between(source, 1, 16), between(source, 2, 6)
        fits = value + amount * times <= limits.value and amount != 1
        return (amount, times) if fits else None


WHOLE, QUARTERS = Whole(), Quarters()
