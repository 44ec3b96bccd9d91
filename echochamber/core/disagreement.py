"""The note of a verdict whose program and box differ: the grader writes it, the page reads it."""

import re
from typing import NamedTuple, Self

SHOWN = 40
"""Characters of each side that the note keeps."""
_NOTE = re.compile(r"box says (.*), program (.*)", re.DOTALL)


class BoxDisagreement(NamedTuple):
    """What the box says, and what the program gives, whose result is the answer."""

    boxed: str
    program: str

    @property
    def note(self) -> str:
        """`box says 20, program 18`, for the column `detail` of records."""
        return f"box says {self.boxed[:SHOWN]}, program {self.program[:SHOWN]}"

    @classmethod
    def read(cls, note: str | None, answer: str | None) -> Self | None:
        """The disagreement that a verdict on `answer` notes; None where it notes none.

        >>> BoxDisagreement.read("box says 20, program 18", "18")
        BoxDisagreement(boxed='20', program='18')
        >>> BoxDisagreement.read("box says 20, program 18", "7")
        """
        found = _NOTE.fullmatch(note or "")
        if found is None or answer is None or answer[:SHOWN] != found[2]:
            return None
        return cls(found[1], found[2])
