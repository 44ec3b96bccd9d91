"""Regular expressions of a user, by RE2: matching takes time linear in the text, whatever the pattern is."""

from functools import cache
from typing import TYPE_CHECKING

from ..core.errors import UserError

if TYPE_CHECKING:
    import re2


@cache
def compiled(pattern: str) -> "re2._Regexp":
    """A pattern in RE2's syntax; `UserError` where it has none, or would take more than RE2's memory.

    RE2 knows neither look-around nor back-references (https://github.com/google/re2/wiki/Syntax).
    """
    import re2  # by recipes with patterns alone

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = (
            error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error.args[0]
        )
        raise UserError(
            f"the pattern {pattern!r:.200} is refused: {reason}; it must be one of RE2, "
            "without look-around and back-references"
        ) from None


def is_found(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return compiled(pattern).search(encodable(text)) is not None


def matches_of(pattern: str, text: str) -> int:
    """How many times the pattern matches, without overlap."""
    return sum(1 for _ in compiled(pattern).finditer(encodable(text)))


def last_group(pattern: str, text: str) -> str | None:
    """The first group of the pattern's last match; None without a match."""
    found = None
    for match in compiled(pattern).finditer(encodable(text)):
        found = match.group(1)
    return found


def encodable(text: str) -> str:
    """The text as UTF-8 can hold it: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
