"""Numbers, boxes and comparison, one promise each."""

from fractions import Fraction

import pytest

from echochamber.verify.answers import last_box, read_box, read_hash, read_metamath, read_stated
from echochamber.verify.compare import equal_float, equal_number, equal_text
from echochamber.verify.values import canonical, from_float, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18), ("18.0", 18), ("1,234,567", 1234567), ("$1,200.50", Fraction(2401, 2)),
        ("3 1/2", Fraction(7, 2)),
        ("-\\frac{5}{4}", Fraction(-5, 4)), ("1.5 \\times 10^{3}", 1500), ("50\\%", 50),
        ("5 \\text{ cm}^2", 5), ("−4", -4), ("7e-2", Fraction(7, 100)),
        ("1,20", None), ("18x", None), ("18 or 17", None), ("", None), ("1 8", None), ("1/0", None),
        ("1e99999", None), ("9" * 300, None), ("nan", None), ("inf", None), ("٣", None), ("²", None),
    ],
)  # fmt: skip
def test_parse_value(text, value):
    assert parse_value(text) == value


def test_floats_mean_what_a_person_reads():
    assert from_float(3.0000000000000004) == 3
    assert from_float(1e22) == 10**22
    assert from_float(0.1) == Fraction(1, 10)
    assert from_float(float("nan")) is None
    assert from_float(float("inf")) is None


@pytest.mark.parametrize(
    ("text", "reference", "equal"),
    [
        ("299.99999999999994", "300", True),
        ("33.3333333", "100/3", True),
        ("33.33", "100/3", False),
        ("nan", "18", False),
        ("inf", "18", False),
        ("1e-12", "0", False),
        ("0.0", "0", True),
        ("18.0", "\\text{odd}", None),
    ],
)
def test_program_floats(text, reference, equal):
    assert equal_float(text, reference) is equal


def test_integers_are_exact():
    assert (
        equal_number(
            parse_value("100000000000000000000000000000000001"), "100000000000000000000000000000000001"
        )
        is True
    )
    assert (
        equal_number(
            parse_value("100000000000000000000000000000000001"), "100000000000000000000000000000000002"
        )
        is False
    )


@pytest.mark.parametrize(
    ("answer", "reference", "equal"),
    [
        ("(1, 2)", "(1,2)", True),
        ("(2,1)", "(1,2)", False),
        ("[0,1)", "[0,1]", False),
        ("\\{2,1\\}", "\\{1,2\\}", True),
        ("17=18", "18", False),
        ("x=18", "18", True),
        ("\\text{even}", "even", True),
        ("\\sqrt{324}", "18", None),
        ("nothing", "18", False),
    ],
)
def test_exact_structure(answer, reference, equal):
    assert equal_text(answer, reference) is equal


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1} \\boxed{2}", "2"),
        ("\\boxed{1} \\boxed{2", "1"),
        ("\\boxed 5.", "5"),
        ("no box", None),
        ("\\boxed{{}}", "{}"),
    ],
)
def test_last_complete_box(text, content):
    assert last_box(text) == content


def test_rules_say_why_there_is_no_answer():
    assert read_box("\\boxed{5").detail == "box is not closed"
    assert read_box("\\boxed{}").detail == "box is empty"
    assert read_metamath("The answer is:").answer is None
    assert read_hash("####").detail == "no #### line"
    assert read_stated("18 is a number").answer is None
    assert read_stated("so the answer is $18.").answer == "$18"


def test_one_spelling_per_number():
    assert {canonical(text) for text in ("18", "18.0", "$18$", "\\frac{36}{2}", "18 dollars")} == {"18"}
    assert canonical(" \\sqrt{2} ") == "\\sqrt{2}"
