"""Exact numbers as text: every answer of the world is an integer or a fraction."""

from fractions import Fraction

Number = int | Fraction


def format_number(value: Number) -> str:
    """Canonical text of an exact value: `18`, `-3`, or a reduced fraction `7/2`.

    >>> format_number(Fraction(36, 2)), format_number(Fraction(7, 2))
    ('18', '7/2')
    """
    value = Fraction(value)
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def parse_number(text: str) -> Fraction:
    """Inverse of `format_number`; raises `ValueError` on anything else."""
    if len(text) > 400:
        raise ValueError(f"number of {len(text)} characters; at most 400 are read")
    return Fraction(text.strip())


def display_number(value: Number, decimals: int = 4) -> str:
    """How a person writes the value: `18`, `3.5`, and `7/3` where decimals would not be exact.

    >>> display_number(Fraction(7, 2)), display_number(Fraction(7, 3))
    ('3.5', '7/3')
    """
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**decimals
    if scaled.denominator != 1:
        return format_number(value)
    sign = "-" if scaled < 0 else ""
    whole, rest = divmod(abs(scaled.numerator), 10**decimals)
    return f"{sign}{whole}.{str(rest).rjust(decimals, '0').rstrip('0')}"
