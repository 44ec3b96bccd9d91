"""Is the answer the reference? Exact numbers first, then exact structure; symbols are left open."""

import re
from fractions import Fraction

from .values import from_float, parse_value, strip_markup

FLOAT_TOLERANCE = Fraction(1, 10**6)
"""Relative; only for floats that a program computed against a reference that is no integer multiple."""
MAX_ANSWER = 2000
"""Characters of an answer; longer ones are wrong."""
_SYMBOLS = re.compile(r"\\[a-zA-Z]|[\^*/+()_]|[a-zA-Z]")
_OPEN, _CLOSE = "([{", ")]}"


def equal_number(value: Fraction | None, reference: str, from_program_float: bool = False) -> bool | None:
    """True or False where both are numbers; None where the reference is not one."""
    gold = parse_value(reference)
    if gold is None:
        return None
    if value is None:
        return False
    return value == gold or (from_program_float and abs(value - gold) <= FLOAT_TOLERANCE * abs(gold))


def equal_float(text: str, reference: str) -> bool | None:
    """A program's float, given as its repr, against the reference; NaN and infinity equal nothing."""
    return equal_number(from_float(float(text)), reference, from_program_float=True)


def equal_text(answer: str, reference: str) -> bool | None:
    """True or False where exact rules decide; None where only algebra could tell."""
    if len(answer) > MAX_ANSWER:
        return False
    value, gold = parse_value(answer), parse_value(reference)
    if value is not None and gold is not None:
        return value == gold
    left, right = normal_text(answer), normal_text(reference)
    if left.lower().lstrip("+-") == "nan" or right.lower().lstrip("+-") == "nan":
        return False  # it equals nothing, itself included
    if left and left == right:
        return True
    if "=" in left and "=" not in right:
        return _equal_equation(left, reference)
    parts = _parts(left), _parts(right)
    if parts[0] and parts[1]:
        return _equal_parts(parts[0], parts[1])
    return None if _may_be_algebra(left, gold) else False


def _equal_equation(answer: str, reference: str) -> bool | None:
    """`x=18` and `2*9=18` say 18; an equation between different numbers says nothing."""
    *sides, last = answer.split("=")
    values = [parse_value(side) for side in sides]
    if any(value is not None and value != parse_value(last) for value in values):
        return False
    return equal_text(last, reference) if last else False


def from_python_text(text: str, unwrap: bool) -> str:
    """A program's algebra in the spelling of mathematics: `18 + 10*I`, `x**2`, and `[3]` if `unwrap`."""
    text = re.sub(r"\*?\bI\b", "i", text.replace("**", "^"))
    single = unwrap and re.fullmatch(r"[\[({]([^,\[\](){}]*),?[\])}]", text.strip())
    return single[1].strip() if single else text


def for_algebra(text: str) -> str:
    """An answer as the algebra worker should read it: units and markup off where numbers are in it."""
    return strip_markup(text).replace("\\approx", "") if any(char.isdigit() for char in text) else text


def normal_text(text: str) -> str:
    """Spelling without markup, spaces and synonyms of commands."""
    text = text.strip()
    text = strip_markup(re.sub(r"\\text\s*\{([^{}]*)\}|\\mathrm\{([^{}]*)\}", r"\1\2", text))
    text = text.replace("\\{", "{").replace("\\}", "}").replace("**", "^")
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\sqrt(\d)", r"\\sqrt{\1}", text)
    text = re.sub(r",?\s+and\s+|,\{\}", ",", text).replace("\\approx", "")
    text = re.sub(r"\s+", "", re.sub(r"(?<=\d)\s+(?=\d)", "_", text))
    text = re.sub(r"(?<![A-Za-z}^_])\{([A-Za-z()]*)\}", r"\1", text)
    return re.sub(r"^\(([A-Z])\)$", r"\1", text)


def _parts(text: str) -> tuple[str, str, list[str]] | None:
    """Brackets and elements of a tuple, interval, set or bare list; None for anything else."""
    opener, closer, inner = "", "", text
    if text[:1] in _OPEN[:3] and text[:1] and text[-1:] in _CLOSE and _wraps(text):
        opener, closer, inner = text[0], text[-1], text[1:-1]
    elements = _split(inner)
    return (opener, closer, elements) if len(elements) > 1 and all(elements) else None


def _wraps(text: str) -> bool:
    """The first bracket closes at the very end."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth == 0:
            return index == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """Pieces between commas outside all brackets."""
    pieces, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            pieces.append(text[start:index])
            start = index + 1
    return [*pieces, text[start:]]


def _equal_parts(left: tuple[str, str, list[str]], right: tuple[str, str, list[str]]) -> bool | None:
    if len(left[2]) != len(right[2]):
        return False
    unordered = left[0] in ("{", "") and right[0] in ("{", "")
    if not unordered and left[:2] != right[:2] and (left[0] and right[0]):
        return False
    verdicts = [equal_text(a, b) for a, b in zip(*_order(left[2], right[2], unordered), strict=True)]
    if False in verdicts:
        return (
            None if unordered and not all(parse_value(x) is not None for x in left[2] + right[2]) else False
        )
    return None if None in verdicts else True


def _order(left: list[str], right: list[str], unordered: bool) -> tuple[list[str], list[str]]:
    if not unordered:
        return left, right
    return sorted(left, key=_sort_key), sorted(right, key=_sort_key)


def _sort_key(text: str) -> tuple[bool, Fraction, str]:
    value = parse_value(text)
    return value is None, value or Fraction(0), text


def _may_be_algebra(answer: str, gold: Fraction | None) -> bool:
    """Worth asking the algebra system: symbols on either side, or digits against a number."""
    if not answer or len(answer) > 300:
        return False
    if gold is not None and not any(c.isdigit() for c in answer):
        return "\\pi" in answer or answer == "e"
    return _SYMBOLS.search(answer) is not None if gold is not None else True
