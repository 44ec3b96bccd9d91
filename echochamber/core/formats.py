"""The registry of tracked behaviours: one row per output format.

A row says how a completion of that format is recognised (by structure, whether or not the answer
is right), how it opens (for forced decoding) and by which rule its answer is read. `verify`
registers the shipped rows; a user's module registers its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import UserError

FORMAT_NAMES = ("tinygsm", "omi1", "omi2", "metamath", "gsm8k", "other")
"""The shipped formats in their fixed order of display. Shares over a registry add up to 1."""


@dataclass(frozen=True, slots=True)
class Format:
    """One tracked behaviour."""

    name: str
    matches: Callable[[str], bool]
    """Completion text -> is it written in this format? Rows are asked in order; the first wins."""
    answer_rule: str
    """How the answer is read: a key of `verify.answers.ANSWER_RULES`."""
    opening: str = ""
    """Text that commits a completion to this format, for forced decoding. It does not end in whitespace: tokenizers
    join a line break with the indentation after it, so a break that is given would be one no training text has."""
    title: str = ""
    """What a reader sees: `Python function`."""
    twin_of: str = ""
    """The format that this one is a marked part of; its style and steps are read by that one's rules."""


_REGISTRY: dict[str, Format] = {}


def register_format(row: Format) -> Format:
    """Add a behaviour; refuses a name that is taken by a different row."""
    if row.name in _REGISTRY and _REGISTRY[row.name] != row:
        raise UserError(f"format {row.name!r} is registered already; choose another name")
    _REGISTRY[row.name] = row
    return row


@contextmanager
def extra_formats(rows: Iterable[Format]) -> Iterator[None]:
    """Track further behaviours while the block runs, and no longer: a study's own do not leak into another."""
    added = [register_format(row) for row in rows if row.name not in _REGISTRY]
    try:
        yield
    finally:
        for row in added:
            del _REGISTRY[row.name]


def registered_formats() -> dict[str, Format]:
    """All rows in the order in which they are asked."""
    return dict(_REGISTRY)


def format_row(name: str) -> Format:
    """The row of one format; an unknown name lists what there is."""
    if name not in _REGISTRY:
        raise UserError(f"format {name!r} is not registered; there are {', '.join(_REGISTRY)}")
    return _REGISTRY[name]
