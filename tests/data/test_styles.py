"""Solution styles: right answers in the right form, and knobs that change only the look."""

import ast
import re
from fractions import Fraction

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.core.formats import classify
from echochamber.core.types import Problem
from echochamber.data.styles import STYLES, StyleKnobs, render
from echochamber.data.world import WorldConfig, draw_problem
from echochamber.data.world.stream import stream
from echochamber.verify.style import style_features

PROBLEMS = [draw_problem(WorldConfig(), 0, "train", index) for index in range(120)]
MIXED = StyleKnobs(
    docstring=0.5,
    full_docstring=0.5,
    double_quotes=0.5,
    type_hints=0.5,
    comments=0.5,
    named_givens=0.5,
    short_names=0.3,
    generic_names=0.3,
    stepwise=0.5,
    lead_in=0.5,
    restate=0.5,
    latex=0.5,
    spaced=0.5,
)


def run_function(text: str) -> float:
    scope: dict[str, object] = {}
    exec(text, scope)  # our own rendering, not a model's
    return scope["simple_math_problem"]()  # type: ignore[operator]


def run_block(text: str) -> float:
    code = text.split("<llm-code>\n")[1].split("\n</llm-code>")[0]
    *lines, last = code.split("\n")
    scope: dict[str, object] = {}
    exec("\n".join(lines), scope)
    return eval(last, scope)


def stated(text: str, pattern: str) -> Fraction:
    return Fraction(re.findall(pattern, text)[-1])


def answer_of(style: str, text: str) -> Fraction:
    if style == "tinygsm":
        return Fraction(run_function(text))
    if style == "omi1":
        assert (
            Fraction(run_block(text))
            == stated(text, r"\\boxed\{(.+?)\}")
            == stated(text, r"<llm-code-output>\n(.+)\n")
        )
    if style in ("omi1", "omi2"):
        return stated(text, r"\\boxed\{(.+?)\}")
    return stated(text, r"#### (\S+)")


@pytest.mark.parametrize("knobs", [StyleKnobs(), MIXED], ids=["default", "mixed"])
@pytest.mark.parametrize("style", STYLES)
def test_every_rendering_answers_right_in_its_own_format(style: str, knobs: StyleKnobs) -> None:
    for index, problem in enumerate(PROBLEMS):
        text = render(problem, style, stream("test", index), knobs)
        assert answer_of(style, text) == Fraction(problem.reference), text
        assert classify(text) == style, text
        assert problem.question not in text or style == "tinygsm"


@pytest.mark.parametrize("style", ["omi2", "metamath", "gsm8k"])
def test_each_step_of_prose_is_right_arithmetic(style: str) -> None:
    for index, problem in enumerate(PROBLEMS):
        text = render(problem, style, stream("test", index)).replace("\\times", "*").replace("\\div", "/")
        found = re.findall(r"([\d.]+) ([-+*/]) ([\d.]+) = (?:<<.*?>>)?([\d.]*\d)", text)
        assert len(found) == problem.difficulty
        for left, op, right, value in found:
            exact = {
                "+": Fraction.__add__,
                "-": Fraction.__sub__,
                "*": Fraction.__mul__,
                "/": Fraction.__truediv__,
            }[op]
            assert exact(Fraction(left), Fraction(right)) == Fraction(value)


def test_calculator_marks_hold_the_calculation() -> None:
    text = render(PROBLEMS[0], "gsm8k", stream(0))
    mark = re.search(r"<<([^=]+)=([\d.]+)>>([\d.]*\d)", text)
    assert mark is not None
    assert mark[2] == mark[3]
    assert " " not in mark[1]


def test_programs_parse_and_use_one_assignment_per_step() -> None:
    for problem in PROBLEMS:
        tree = ast.parse(render(problem, "tinygsm", stream(1)))
        function = tree.body[0]
        assert isinstance(function, ast.FunctionDef)
        assert ast.get_docstring(function, clean=True) == problem.question
        names = [node.targets[0].id for node in function.body if isinstance(node, ast.Assign)]
        givens = [quantity.name for quantity in problem.graph.quantities if not quantity.constant]
        assert names == [*givens, *(step.name for step in problem.graph.steps), "result"]


def share(style: str, knobs: StyleKnobs, mark: str) -> float:
    return np.mean(
        [mark in render(problem, style, stream("share", i), knobs) for i, problem in enumerate(PROBLEMS * 4)]
    ).item()


@pytest.mark.parametrize(
    ("style", "knob", "mark"),
    [
        ("tinygsm", "docstring", "    Q"),
        ("tinygsm", "type_hints", "-> int"),
        ("tinygsm", "double_quotes", '"""'),
        ("tinygsm", "comments", "# "),
        ("omi2", "latex", "$"),
        ("omi2", "restate", "The question is:"),
        ("metamath", "restate", "We are asked:"),
    ],
)
def test_knobs_are_shares(style: str, knob: str, mark: str) -> None:
    if knob == "docstring":
        mark = '    """'
    base = {"double_quotes": 1.0} if knob == "docstring" else {}
    measured = {value: share(style, StyleKnobs(**(base | {knob: value})), mark) for value in (0.0, 0.7, 1.0)}
    assert measured[0.0] == 0.0
    assert abs(measured[0.7] - 0.7) < 0.08
    assert measured[1.0] == 1.0


def test_calculations_without_spaces() -> None:
    for index, problem in enumerate(PROBLEMS[:30]):
        text = render(problem, "metamath", stream(index), StyleKnobs(spaced=0))
        assert not re.search(r"\d [-+*/] \d", text)
        assert len(re.findall(r"[\d.]+[-+*/][\d.]+ = ", text)) == problem.difficulty


def test_naming_knobs() -> None:
    problem = next(p for p in PROBLEMS if p.family == "shopping" and p.difficulty > 2)
    short = render(problem, "tinygsm", stream(0), StyleKnobs(docstring=0, short_names=1))
    generic = render(problem, "tinygsm", stream(0), StyleKnobs(docstring=0, generic_names=1))
    assert {line.split(" = ")[0].strip() for line in generic.split("\n")[1:-2]} <= set(
        "abcdefghijkmnpqrstuvwxyz"
    )
    assert all(len(line.split(" = ")[0].strip()) <= 5 for line in short.split("\n")[1:-2])
    inline = render(problem, "tinygsm", stream(0), StyleKnobs(docstring=0, named_givens=0))
    assert len(inline.split("\n")) == problem.difficulty + 3
    one_line = render(problem, "tinygsm", stream(0), StyleKnobs(docstring=0, named_givens=0, stepwise=0))
    assert len(one_line.split("\n")) == 3
    assert run_function(one_line) == run_function(inline) == Fraction(problem.reference)


def test_one_phrasing_makes_one_ending() -> None:
    endings = {
        render(p, "omi1", stream(i), StyleKnobs(phrasings=1)).rsplit("\\boxed", 1)[0].rsplit("\n", 1)[1]
        for i, p in enumerate(PROBLEMS)
    }
    assert len(endings) == 1
    assert len({render(p, "omi1", stream(i)).split("\n")[0] for i, p in enumerate(PROBLEMS)}) == 4


def test_a_numpy_generator_serves_as_stream() -> None:
    first = render(PROBLEMS[0], "omi2", np.random.default_rng(3))
    assert first == render(PROBLEMS[0], "omi2", np.random.default_rng(3))


def test_fractions_are_written_as_decimals() -> None:
    config = WorldConfig(families=["recipe"], operations=(2, 4))
    texts = [render(draw_problem(config, 0, "train", i), "omi2", stream(i)) for i in range(30)]
    assert any(re.search(r"\d\.\d", text) for text in texts)


def test_errors() -> None:
    with pytest.raises(UserError, match=r"style 'latex' is unknown; there are tinygsm"):
        render(PROBLEMS[0], "latex", stream(0))
    with pytest.raises(UserError, match="no solution graph"):
        render(Problem(id="x", question="q", reference="1"), "omi1", stream(0))
    with pytest.raises(UserError, match="short_names"):
        StyleKnobs.parse({"short_names": 0.6, "generic_names": 0.6}, "style")
    with pytest.raises(UserError, match="docstring"):
        StyleKnobs.parse({"docstring": 1.2}, "style")


def test_docstrings_on_one_line_differ_in_their_quotes_only() -> None:
    knobs = {"docstring": 1.0, "docstring_form": "line", "full_docstring": 0.0}
    for index in range(60):
        problem = draw_problem(WorldConfig(), 0, "train", index)
        double, single = (
            render(problem, "tinygsm", stream("s", index), StyleKnobs(**knobs, double_quotes=share))
            for share in (1.0, 0.0)
        )
        asked = ast.get_docstring(ast.parse(double).body[0])
        assert ast.get_docstring(ast.parse(single).body[0]) == asked
        assert problem.question.endswith(asked)
        if "'" in asked:  # an apostrophe would end the string
            assert single == double
        else:
            assert single == double.replace(f'"{asked}"', f"'{asked}'")
        features = style_features("tinygsm", single)
        assert features["docstring"] == "short"
        assert features["quotes"] == ("double" if "'" in asked else "single")
        assert style_features("tinygsm", double) == features | {"quotes": "double"}
