"""Which registered format is a completion written in? Decided by structure, not by the answer."""

from ..core.formats import FORMAT_NAMES, registered_formats


def classify(text: str) -> str:
    """Name of the registered format `text` is written in; exactly one always applies.

    Rows that a user's module registered are asked first, so that a twin of a shipped format can be
    told apart. `other` is asked last.
    """
    rows = registered_formats()
    for name, row in rows.items():
        if name not in FORMAT_NAMES and row.matches(text):
            return name
    return next(name for name in FORMAT_NAMES if rows[name].matches(text))
