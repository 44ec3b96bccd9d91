"""Numbers as people, models and LaTeX write them, read exactly.

`parse_value` is total: any string in, an exact `Fraction` or None out, in time linear in its length.
"""

import math
import re
from fractions import Fraction
from functools import lru_cache

from ..core.numbers import format_number

MAX_LENGTH = 200
"""Longer texts are no numbers; also keeps integer conversion cheap."""
_MAX_EXPONENT = 60

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+\.?[0-9]*|\.[0-9]+)"
_PLAIN = re.compile(rf"([+-]?)({_DECIMAL})(?:[eE]([+-]?[0-9]{{1,3}}))?")
_TIMES_TEN = re.compile(rf"([+-]?{_DECIMAL})(?:\*|x)10\^(?:\{{([+-]?[0-9]{{1,3}})\}}|([0-9]))")
_RATIO = re.compile(rf"([+-]?)\(?([+-]?{_DECIMAL})\)?/\(?([+-]?{_DECIMAL})\)?")
_FRAC = re.compile(
    rf"([+-]?)([0-9]*)\\frac(?:\{{([+-]?{_DECIMAL})\}}|([0-9]))(?:\{{([+-]?{_DECIMAL})\}}|([0-9]))"
)
_MIXED = re.compile(r"([+-]?)([0-9]+)[ ~]+([0-9]+)/([0-9]+)")
_MARKUP = re.compile(
    r"(?<!\\)\\(?:left|right|displaystyle|mathrm|,|!|;|:| |quad)(?![A-Za-z])"
    r"|\$|\\\(|\\\)|\\\[|\\\]|[€£¥₹]"
)
_TEXT_UNIT = re.compile(r"\\(?:text|textbf|mathrm|mbox|rm|operatorname)\s*\{[^{}]*\}(?:\^\{?[23]\}?)?")
_TRAILING_UNIT = re.compile(
    r"(?:(?<=[0-9}])(?=[A-Za-z]{2})|\s+)(?:[A-Za-z][A-Za-z.²³/-]*(?:\^\{?[23]\}?)?(?:\s+|$)){1,5}$"
)
_NO_UNITS = frozenset(
    (
        "or",
        "and",
        "to",
        "not",
        "plus",
        "minus",
        "times",
        "over",
        "than",
        "by",
        "if",
        "but",
        "else",
        "pi",
        "sqrt",
        "e",
        "i",
        "x",
        "y",
    )
)
_LETTER_UNITS = frozenset("mgshlLkKCFA")
_NAMED = re.compile(r"^\(?[A-Za-z]\)?(?:_\{?\w+\}?)?\s*=\s*")


@lru_cache(maxsize=8192)
def parse_value(text: str) -> Fraction | None:
    """The exact number that `text` writes, units and markup aside; None if it is no single number.

    Percent is read as the number before the sign, in answer and reference alike.
    """
    if len(text) > MAX_LENGTH or not any(c.isdigit() for c in text):
        return None
    clean = text.strip()
    plain = _plain(clean)
    return plain if plain is not None else _structured(strip_markup(clean))


def strip_markup(text: str) -> str:
    """Text without dollar signs, spacing commands, unit texts, percent and degree signs, `x =`."""
    text = text.replace("−", "-").replace("–", "-").replace("\u00a0", " ")
    text = text.replace("\\%", "").replace("%", "")
    text = (
        text.replace("\\$", "")
        .replace("\\dfrac", "\\frac")
        .replace("\\tfrac", "\\frac")
        .replace("\\cfrac", "\\frac")
    )
    text = re.sub(r"(?<=\d)\\[,!]\s*(?=\d{3})", "", text.replace("{,}", ","))
    text = re.sub(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|°|\\degree", "", text)
    text = text.replace("\\times", "*").replace("\\cdot", "*").replace("×", "*")
    text = _TEXT_UNIT.sub(" ", text)
    text = _MARKUP.sub(" " if "frac" not in text else "", text).strip()
    text = _NAMED.sub("", text).strip()
    return text.rstrip(".").strip()


def _structured(text: str) -> Fraction | None:
    """Fractions, mixed numbers, powers of ten and numbers with a unit behind them."""
    mixed = _MIXED.fullmatch(text)
    if mixed:
        sign, whole, top, bottom = mixed.groups()
        return _signed(sign, _over(Fraction(int(whole) * int(bottom) + int(top)), Fraction(int(bottom))))
    unit = _TRAILING_UNIT.search(text)
    if unit and not any(_no_unit(word) for word in unit[0].split()):
        return _structured(text[: unit.start()].strip())
    tight = text.replace(" ", "")
    if " " in text and re.search(r"\d,? +\d", text):
        return None
    return _plain(tight) or _zero(tight) or _fraction(tight) or _power(tight)


def _no_unit(word: str) -> bool:
    """Variables and words that make the number before them something else."""
    name = word.split("^")[0]
    return name in _NO_UNITS or (len(name) == 1 and name not in _LETTER_UNITS)


def _zero(text: str) -> Fraction | None:
    value = _plain(text)
    return value if value == 0 else None


def _fraction(text: str) -> Fraction | None:
    ratio = _RATIO.fullmatch(text)
    if ratio:
        return _signed(ratio[1], _over(_decimal(ratio[2]), _decimal(ratio[3])))
    frac = _FRAC.fullmatch(text)
    if not frac:
        return None
    sign, whole = frac[1], frac[2]
    part = _over(_decimal(frac[3] or frac[4]), _decimal(frac[5] or frac[6]))
    return _signed(sign, part + int(whole)) if part is not None and whole else _signed(sign, part)


def _power(text: str) -> Fraction | None:
    match = _TIMES_TEN.fullmatch(text)
    if not match:
        return None
    exponent = int(match[2] or match[3])
    return _decimal(match[1]) * Fraction(10) ** exponent if abs(exponent) <= _MAX_EXPONENT else None


def _plain(text: str) -> Fraction | None:
    match = _PLAIN.fullmatch(text)
    if not match:
        return None
    exponent = int(match[3] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    value = _decimal(match[2]) * (Fraction(10) ** exponent if exponent else 1)
    return -value if match[1] == "-" else value


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(",", "").rstrip("."))


def _over(top: Fraction, bottom: Fraction) -> Fraction | None:
    return top / bottom if bottom else None


def _signed(sign: str, value: Fraction | None) -> Fraction | None:
    return -value if value is not None and sign == "-" else value


def from_float(value: float) -> Fraction | None:
    """The number a program meant by a float: whole floats exactly, others to 12 significant digits.

    None for NaN and infinity, which equal nothing.
    """
    if not math.isfinite(value):
        return None
    return Fraction(int(value)) if value.is_integer() else Fraction(format(value, ".12g"))


def canonical(text: str) -> str:
    """One spelling per number (`18.0`, `\\frac{36}{2}` and `18` agree); other text is only trimmed."""
    value = parse_value(text)
    return text.strip()[:MAX_LENGTH] if value is None else format_number(value)
