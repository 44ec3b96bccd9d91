"""Behaviours that a recipe describes: each rule, what is refused, and what enters a fingerprint."""

import time

import pytest
import yaml

from echochamber.core.errors import UserError
from echochamber.core.formats import classify, extra_formats, format_row
from echochamber.core.types import Problem
from echochamber.study.recipe import load_recipe
from echochamber.verify.answers import answer_rule
from echochamber.verify.behaviours import BehaviourConfig, behaviour_formats
from echochamber.verify.grade import Grader

PROSE = "Step 1: 3 * 6 = 18.\nSo \\boxed{18}"


def one(**settings):
    (row,) = behaviour_formats({"mine": BehaviourConfig.parse(settings, "behaviours.mine")})
    return row


@pytest.mark.parametrize(
    ("settings", "yes", "no", "title"),
    [
        ({"matches": "(?m)^Step 1"}, PROSE, " Step 1", "text matching '(?m)^Step 1'"),
        ({"matches": "→|é"}, "a → b", "a -> b", "text matching '→|é'"),
        ({"contains": "So "}, PROSE, "so ", "text containing 'So '"),
        ({"opening": "Step 1"}, PROSE, "x" + PROSE, "text beginning with 'Step 1'"),
        (
            {"contains": "Step", "of": "omi2"},
            PROSE,
            "Step 1: 18",
            "prose with a boxed answer containing 'Step'",
        ),
    ],
)
def test_rules(settings, yes, no, title):
    row = one(**settings)
    assert (row.matches(yes), row.matches(no), row.title) == (True, False, title)
    assert row.answer_rule == ("box" if "of" in settings else "stated")
    assert one(**settings) == row
    assert one(**settings, title="mine").title == "mine"
    with extra_formats([row]):
        assert (classify(yes), classify(no) == "mine") == ("mine", False)


def test_an_opening_is_given_in_forced_decoding_without_its_last_space():
    assert one(opening="Step 1: ").opening == "Step 1:"


def test_answers_are_read_as_the_recipe_says():
    rows = [
        one(contains="Step", answer_rule=r"regex:= *([0-9]+)"),
    ]
    with extra_formats(rows), Grader() as grader:
        problem = Problem("1", "", "18")
        right = grader.grade(problem, "Step = 3, then = 18. The answer is 7")
        none = grader.grade(problem, "Step without any number")
    assert (right.format, right.answer, right.outcome) == ("mine", "18", "correct")
    assert (none.outcome, none.detail) == ("no_answer", "the answer's pattern matches nothing")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "one of matches, contains, opening, python, shipped; found none"),
        ({"of": "omi2"}, "found none"),
        ({"contains": "x", "opening": "y"}, "found contains and opening"),
        ({"contains": ""}, "at least 1 character"),
        ({"matches": "(?=x)y"}, r"\(\?=.*one of RE2, without look-around"),
        ({"matches": r"(a)\1"}, "without look-around and back-references"),
        ({"matches": "(("}, "is refused: missing"),
        ({"matches": "((x{100}){100}){100}"}, "is refused"),
        ({"contains": "x", "of": "omi9"}, "omi9"),
        (
            {"contains": "x", "answer_rule": "boxed"},
            "'boxed' is not known; there are function.*regex:PATTERN",
        ),
        ({"contains": "x", "answer_rule": "regex:18"}, "needs one group"),
        ({"contains": "x", "answer_rule": "regex:(("}, "is refused"),
        ({"python": "os:system"}, "no module 'os' is named under 'modules'"),
    ],
)
def test_what_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        one(**settings)
    text = yaml.safe_dump(settings, default_flow_style=True, width=1000).strip()
    with pytest.raises(UserError) as caught:
        load_recipe("smoke", [f"behaviours={{mine: {text}}}"])
    assert "\n" not in str(caught.value)


def test_a_pattern_that_backtracks_elsewhere_takes_linear_time():
    row, text = one(matches="^(a+)+$"), "a" * 100_000 + "b"
    started = time.perf_counter()
    assert not row.matches(text)
    assert not one(matches="(x+x+)+y").matches("x" * 100_000)
    assert time.perf_counter() - started < 5


def test_lone_surrogates_and_zero_bytes_are_text_like_any_other():
    row = one(matches="(?s)^a.b$")
    assert row.matches("a\ud800b")
    assert row.matches("a\0b")


def test_a_function_of_a_module(tmp_path):
    path = tmp_path / "mine_rules.py"
    path.write_text("def shouts(text):\n    return text.isupper()\n")
    overrides = [f"modules=[{path}]", "behaviours.loud.python=mine_rules:shouts"]
    rows = behaviour_formats(load_recipe("smoke", overrides).behaviours)
    assert [rows[0].matches(text) for text in ("AHA", "aha")] == [True, False]
    with pytest.raises(UserError, match=r"mine_rules.py has no such function; it has shouts"):
        load_recipe("smoke", [f"modules=[{path}]", "behaviours.loud.python=mine_rules:shout"])
    path = tmp_path / "failing_rules.py"
    path.write_text("def first(text):\n    return text[0] == 'A'\n")
    with pytest.raises(UserError, match=r"behaviours: format 'loud': IndexError.*line 2"):
        load_recipe("smoke", [f"modules=[{path}]", "behaviours.loud.python=failing_rules:first"])


def test_what_enters_a_fingerprint():
    assert BehaviourConfig(of="omi2", contains="x", only=("a",)).settings() == {"of": "omi2", "contains": "x"}
    assert BehaviourConfig(matches="x", title="t", answer_rule="box").settings() == {
        "matches": "x",
        "answer_rule": "box",
    }
    assert format_row("omi2").answer_rule == "box"
    assert answer_rule("box")(PROSE).answer == "18"
