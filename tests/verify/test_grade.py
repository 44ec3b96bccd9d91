"""The grader's contract on small cases; real rows and hostile programs have files of their own."""

import pytest

from echochamber.core.disagreement import BoxDisagreement
from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig

FUNCTION = '''def simple_math_problem() -> int:
    """
    A box holds 6 pens. Mia buys 3 boxes. How many pens?
    """
    pens_per_box = 6
    boxes = 3
    pens = pens_per_box * boxes
    result = pens
    return result
'''
BLOCK = (
    "Let's compute.\n<llm-code>\nboxes = 3\npens = 6 * boxes\npens  # all of them\n"
    "</llm-code>\n<llm-code-output>\n18\n</llm-code-output>\nShe has \\boxed{18} pens."
)
PROSE = "Each box holds 6 pens, so she has $3 \\cdot 6 = 18$ pens.\n\nThe answer is $\\boxed{18}$."


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2) as shared:
        yield shared


def problem(reference="18"):
    return Problem(id="p", question="", reference=reference)


@pytest.mark.parametrize(
    ("completion", "form"),
    [
        (FUNCTION, "tinygsm"),
        (BLOCK, "omi1"),
        (PROSE, "omi2"),
        ("She buys 3 boxes.\n#### 18\nThe answer is: 18", "metamath"),
        ("3 boxes hold 3*6=<<3*6=18>>18 pens.\n#### 18", "gsm8k"),
        ("So the answer is 18.", "other"),
    ],
)
def test_right_and_wrong_in_every_format(grader, completion, form):
    right, wrong = grader.grade(problem(), completion), grader.grade(problem("17"), completion)
    assert (right.format, right.outcome, right.answer) == (form, "correct", "18")
    assert (wrong.format, wrong.outcome, wrong.answer) == (form, "wrong", "18")


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ("", "no_answer"),
        ("18", "no_answer"),
        ("def simple_math_problem() -> int:\n    return 1/0\n", "error"),
        ("def simple_math_problem() -> int:\n    pens = 18\n", "no_answer"),
        ("def simple_math_problem() -> int:\n    pens = (18\n", "error"),
        ("def simple_math_problem() -> int:\n    return True\n", "error"),
        ("def simple_math_problem() -> int:\n    return float('nan')\n", "wrong"),
        ("def simple_math_problem() -> int:\n    import sympy\n    return 18\n", "unsupported"),
        ("<llm-code>\n18", "no_answer"),
        ("The answer is \\boxed{18", "no_answer"),
    ],
)
def test_what_is_not_an_answer(grader, completion, outcome):
    assert grader.grade(problem(), completion).outcome == outcome


def test_timeout_is_an_outcome_of_its_own():
    config = GraderConfig.parse({"limits": {"seconds": 0.1}}, "test")
    with Grader(config, workers=1) as fast:
        verdict = fast.grade(problem(), "def simple_math_problem():\n    while True:\n        pass\n")
        assert verdict.outcome == "timeout"
        assert fast.grade(problem(), FUNCTION).correct


def test_a_batch_says_the_same_as_one_by_one_in_the_same_order(grader):
    texts = [FUNCTION, PROSE, BLOCK, "nonsense", FUNCTION.replace("= 3", "= 4"), FUNCTION] * 4
    items = [(problem(), text) for text in texts]
    assert grader.grade_batch(items) == [grader.grade(*item) for item in items]
    assert grader.grade_batch([]) == []


def test_equal_programs_run_once(grader, monkeypatch):
    from echochamber.verify.sandbox.monty import MontyPool

    runs, real = [], MontyPool.run
    monkeypatch.setattr(MontyPool, "run", lambda self, program: runs.append(program) or real(self, program))
    assert all(v.correct for v in grader.grade_batch([(problem(), FUNCTION)] * 50))
    assert len(runs) == 1


def test_program_rules_where_its_box_disagrees(grader):
    text = BLOCK.replace("\\boxed{18}", "\\boxed{20}")
    verdict = grader.grade(problem(), text)
    assert verdict.correct
    assert verdict.detail == "box says 20, program 18"
    assert BoxDisagreement.read(verdict.detail, verdict.answer) == ("20", "18")
    with Grader(GraderConfig(omi1_answer="box")) as by_box:
        assert by_box.grade(problem("20"), text).correct
        assert not by_box.grade(problem("18"), text).correct


def test_blocks_share_state(grader):
    text = "<llm-code>\nboxes = 3\n</llm-code>\nnext\n<llm-code>\n(boxes *\n 6)\n# done\n</llm-code>"
    assert grader.grade(problem(), text).correct


def test_a_printed_value_answers_where_the_last_expression_is_none(grader):
    text = "<llm-code>\nprint(1)\nprint(3 * 6)\n</llm-code>"
    assert grader.grade(problem(), text).answer == "18"
