"""The note of a verdict whose program and box differ: what is written is read, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echochamber.core.disagreement import SHOWN, BoxDisagreement


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda text: ", program " not in text), st.text(max_size=60))
def test_what_the_grader_notes_is_read_again(boxed: str, program: str) -> None:
    found = BoxDisagreement.read(BoxDisagreement(boxed, program).note, program)
    if ", program " not in program:
        assert found == (boxed[:SHOWN], program[:SHOWN])


@pytest.mark.parametrize(
    ("note", "answer"),
    [
        (None, "18"),
        ("", "18"),
        ("box says 20, program 18", None),
        ("box says 20, program 18", "19"),
        ("ValueError: box says 20, program 18", "18"),
        ("algebra cannot read one side", "18"),
    ],
)
def test_another_note_is_no_disagreement(note: str | None, answer: str | None) -> None:
    assert BoxDisagreement.read(note, answer) is None
