"""A format of one's own: programs that print their result instead of returning it."""

from echochamber.core.formats import Format, register_format


def is_printing_program(text):
    """Whether a completion is a program that prints."""
    return text.startswith("def ") and "print(" in text


register_format(Format("printed", is_printing_program, "function", title="a program that prints"))
