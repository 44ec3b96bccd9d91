"""Right steps, wrong steps and the first error, on hand-made solutions and on every world style."""

from dataclasses import replace
from fractions import Fraction

import pytest

from echochamber.core.random import generator
from echochamber.core.types import Problem, Quantity, SolutionGraph, Step
from echochamber.data.styles import STYLES, StyleKnobs, render
from echochamber.data.world import WorldConfig, draw_problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig

GRAPH = SolutionGraph(
    quantities=(
        Quantity("boxes", Fraction(3)),
        Quantity("pens_per_box", Fraction(6)),
        Quantity("given_away", Fraction(4)),
        Quantity("factor", Fraction(2), constant=True),
    ),
    steps=(
        Step("pens", "*", 0, 1, Fraction(18)),
        Step("left", "-", 4, 2, Fraction(14)),
        Step("double", "*", 5, 3, Fraction(28)),
    ),
)
PROBLEM = Problem("p", "", "28", graph=GRAPH)


@pytest.fixture(scope="module")
def grader():
    with Grader(GraderConfig(algebra=False), workers=2) as shared:
        yield shared


def function(*lines):
    return "def simple_math_problem():\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "process", "error"),
    [
        (function("a = 3 * 6", "b = a - 4", "return b * 2"), "right_steps", ""),
        (function("a = 6 * 3", "b = a - 4", "return 2 * b"), "right_steps", ""),
        (function("return (3 * 6 - 4) * 2"), "right_steps", ""),
        (function("return 3 * 6 * 2 - 4 * 2"), "right_steps", ""),
        (function("unused = 3 + 4", "a = 3 * 6", "b = a - 4", "return b * 2"), "right_steps", ""),
        (function("return 28"), "wrong_steps", "missing_step"),
        (function("return 4 + 6 * 4"), "wrong_steps", "wrong_operand"),
        (function("a = 3 + 6", "b = a - 4", "return b * 2"), "wrong_steps", "wrong_operation"),
        (function("a = 3 * 7", "b = a - 4", "return b * 2"), "wrong_steps", "misread_number"),
        (function("a = 3 * 6", "b = a - 3", "return b * 2"), "wrong_steps", "wrong_operand"),
        (function("a = 3 * 6", "return a"), "wrong_steps", "missing_step"),
        (function("a = 3 * 6", "b = a - 4"), "wrong_steps", "incomplete"),
        (function("a = 3 * 6", "return b"), "wrong_steps", "incomplete"),
        ("3 * 6 = 18. 18 - 4 = 14. $14 \\times 2 = 28$. \\boxed{28}", "right_steps", ""),
        ("$3 \\cdot 6 - 4 = 14$ and 14 * 2 = 28, \\boxed{28}", "right_steps", ""),
        ("3 * 6 = 17. 17 - 4 = 13. 13 * 2 = 26. \\boxed{26}", "wrong_steps", "arithmetic_slip"),
        ("3 * 6 = 17. 17 - 4 = 14. 14 * 2 = 28. \\boxed{28}", "wrong_steps", "arithmetic_slip"),
        ("3 + 6 = 9. 9 - 4 = 5. 5 * 2 = 10. \\boxed{10}", "wrong_steps", "wrong_operation"),
        ("3 * 6 = 18. 18 - 4 = 14. \\boxed{14}", "wrong_steps", "missing_step"),
        ("3 * 8 = 24. 24 - 4 = 20. 20 * 2 = 40. \\boxed{40}", "wrong_steps", "misread_number"),
        ("It is \\boxed{28}", "wrong_steps", "broken_format"),
        ("3*6=<<3*6=18>>18\n18-4=<<18-4=14>>14\n14*2=<<14*2=28>>28\n#### 28", "right_steps", ""),
        ("garbage", "wrong_steps", "broken_format"),
        ("", "wrong_steps", "broken_format"),
    ],
)
def test_hand_made(grader, text, process, error):
    verdict = grader.grade(PROBLEM, text)
    assert (verdict.process, verdict.first_error) == (process, error)


def test_a_coincidence_of_values_is_no_right_step(grader):
    """2 + 2 and 2 * 2 agree; the function of the givens does not."""
    graph = SolutionGraph(
        (Quantity("a", Fraction(2)), Quantity("b", Fraction(2))), (Step("c", "*", 0, 1, Fraction(4)),)
    )
    verdict = grader.grade(Problem("p", "", "4", graph=graph), function("return 2 + 2"))
    assert (verdict.outcome, verdict.process, verdict.first_error) == (
        "correct",
        "wrong_steps",
        "wrong_operation",
    )


def test_no_process_verdict_without_a_graph(grader):
    assert grader.grade(Problem("p", "", "28"), function("return 28")).process == ""


KNOBS = {
    "as_is": {},
    "all_off": dict.fromkeys(
        ("docstring", "double_quotes", "type_hints", "named_givens", "lead_in", "latex", "spaced"), 0
    ),
    "extra": {"comments": 1, "restate": 1},
    "generic_names": {"generic_names": 1},
    "one_expression": {"stepwise": 0},
    "inline": {"stepwise": 0, "named_givens": 0},
    "short_docstring": {"full_docstring": 0},
}


@pytest.fixture(scope="module")
def world():
    return [draw_problem(WorldConfig(), 0, "dev", index) for index in range(60)]


@pytest.mark.parametrize("knobs", KNOBS)
def test_every_style_is_itself_right_and_by_right_steps(grader, world, knobs):
    for style in STYLES:
        stream = generator("verify", style, knobs)
        items = [(p, render(p, style, stream, StyleKnobs(**KNOBS[knobs]))) for p in world]
        found = {(v.format, v.outcome, v.process, v.detail) for v in grader.grade_batch(items)}
        assert found == {(style, "correct", "right_steps", "")}


@pytest.mark.parametrize(
    ("style", "knob", "feature", "on", "off"),
    [
        ("tinygsm", "type_hints", "type_hint", {"yes"}, {"no"}),
        ("tinygsm", "docstring", "docstring", {"question", "short"}, {"none"}),
        ("tinygsm", "double_quotes", "quotes", {"double"}, {"single"}),
        ("tinygsm", "comments", "comments", {"yes"}, {"no"}),
        ("tinygsm", "named_givens", "givens", {"named"}, {"inline"}),
        ("tinygsm", "generic_names", "names", {"generic"}, {"descriptive"}),
        ("tinygsm", "short_names", "names", {"initials"}, {"descriptive"}),
        ("tinygsm", "full_docstring", "docstring", {"question", "short"}, {"short"}),
        ("omi1", "comments", "comments", {"yes"}, {"no"}),
        ("omi1", "lead_in", "lead_in", {"yes"}, {"no"}),
        ("omi1", "named_givens", "givens", {"named"}, {"inline"}),
        ("omi1", "generic_names", "names", {"generic"}, {"descriptive"}),
        ("omi2", "latex", "latex", {"yes"}, {"no"}),
        ("omi2", "lead_in", "lead_in", {"yes"}, {"no"}),
        ("omi2", "restate", "restated", {"yes"}, {"no"}),
        ("metamath", "spaced", "spaced", {"yes"}, {"no"}),
        ("metamath", "restate", "restated", {"yes"}, {"no"}),
        ("gsm8k", "spaced", "spaced", {"yes"}, {"no"}),
    ],
)
def test_style_features_are_recovered(world, style, knob, feature, on, off):
    from echochamber.verify.style import style_features

    stream = generator("verify", style, knob)
    for share, allowed in ((1, on), (0, off)):
        texts = [render(p, style, stream, StyleKnobs(**{knob: share})) for p in world]
        assert {style_features(style, text)[feature] for text in texts} <= allowed


def test_steps_are_counted(world):
    from echochamber.verify.style import style_features

    for style in STYLES:
        for problem in world:
            text = render(problem, style, generator("steps", style))
            assert style_features(style, text)["steps"] == str(problem.difficulty), text


@pytest.mark.parametrize("style", STYLES)
def test_corrupted_solutions_are_never_right_steps(grader, world, style):
    """One operation of the solution changed: whatever the answer, the steps are wrong."""
    items = []
    for problem in world:
        steps = list(problem.graph.steps)
        node = steps[0]
        other = "+" if node.op != "+" else "-"
        left, right = (problem.graph.node(i).value for i in (node.left, node.right))
        steps[0] = replace(node, op=other, value=left + right if other == "+" else left - right)
        text = render(
            problem, style, generator("bad", style), graph=replace(problem.graph, steps=tuple(steps))
        )
        items.append((problem, text))
    verdicts = grader.grade_batch(items)
    assert {v.process for v in verdicts} == {"wrong_steps"}
    assert "" not in {v.first_error for v in verdicts}
