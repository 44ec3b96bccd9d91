"""The registry of output formats, one row each.

A row says how a completion of that format is recognised: by structure, whether or not the answer
is right. It also has the opening for forced decoding, the rule that reads the answer, and the title that
a reader sees. The registry starts with the shipped rows; a user's module registers its own after them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import UserError
from .format_rules import is_anything, is_boxed_prose, is_function, is_gsm8k, is_llm_code, is_metamath

OTHER = "other"
"""Label of completions in no known format."""


@dataclass(frozen=True, slots=True)
class Format:
    """One output format and how to recognise it."""

    name: str
    matches: Callable[[str], bool]
    """Completion text -> is it written in this format? Rows are asked in order; the first wins."""
    answer_rule: str
    """How the answer is read: a key of `verify.answers.ANSWER_RULES`."""
    opening: str = ""
    """Text that commits a completion to this format, for forced decoding. It does not end in whitespace:
    tokenizers join a line break with the indentation after it, so a given break would be one that no
    training text has."""
    title: str = ""
    """What a reader sees, in the middle of a sentence: `Python function`, `prose with a boxed answer`."""
    twin_of: str = ""
    """The format that this one is a marked part of; its style and steps are read by that one's rules."""


SHIPPED_FORMATS = (
    Format("tinygsm", is_function, "function", "def simple_math_problem() -> int:", "Python function"),
    Format(
        "omi1",
        is_llm_code,
        "llm_code",
        "Let's solve this problem using Python code.\n<llm-code>",
        "code block with output",
    ),
    Format("omi2", is_boxed_prose, "box", "Let's go step by step.", "prose with a boxed answer"),
    Format("metamath", is_metamath, "metamath", "Let us see what we know.", "prose with “The answer is:”"),
    Format("gsm8k", is_gsm8k, "hash", "", "prose with “####”"),
    Format("other", is_anything, "stated", "", "no known format"),
)
"""The shipped rows in their fixed order of display. `other` is the last: it takes what no rule matches."""

FORMAT_NAMES = tuple(row.name for row in SHIPPED_FORMATS)

_REGISTRY: dict[str, Format] = {row.name: row for row in SHIPPED_FORMATS}


def register_format(row: Format) -> Format:
    """Add a format; `UserError` where the name is taken by a different row."""
    if row.name in _REGISTRY and _REGISTRY[row.name] != row:
        raise UserError(f"format {row.name!r} is registered already; choose another name")
    _REGISTRY[row.name] = row
    return row


def forget_format(name: str) -> None:
    """Remove a format from the registry."""
    del _REGISTRY[name]


@contextmanager
def extra_formats(rows: Iterable[Format]) -> Iterator[None]:
    """Register further formats while the block runs, so that one study's own do not leak into another."""
    added = [register_format(row) for row in rows if row.name not in _REGISTRY]
    try:
        yield
    finally:
        for row in added:
            forget_format(row.name)


def registered_formats() -> dict[str, Format]:
    """All rows by name: the shipped ones, then a user's own in the order of their registration."""
    return dict(_REGISTRY)


def format_row(name: str) -> Format:
    """The row of one format; `UserError` with the known names for an unknown one."""
    if name not in _REGISTRY:
        raise UserError(f"format {name!r} is not registered; there are {', '.join(_REGISTRY)}")
    return _REGISTRY[name]


def classify(text: str) -> str:
    """Name of the registered format that a completion is written in; exactly one always applies.

    Decided by structure, whether or not the answer is right. Rows that a user's module registered are
    asked first, so that a twin of a shipped format can be told apart. `other` is asked last.
    """
    rows = registered_formats()
    for name, row in rows.items():
        if name not in FORMAT_NAMES and row.matches(text):
            return name
    return next(name for name in FORMAT_NAMES if rows[name].matches(text))
