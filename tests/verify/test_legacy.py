"""The paper's scoring rules, quirk by quirk, and what they would change on real rollouts."""

import gzip
import json

import pytest

from echochamber.core.formats import classify
from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.legacy import LegacyGrader, legacy_label
from echochamber.verify.report import sandbox_report

GOOD = "def simple_math_problem() -> int:\n    pens = 6 * 3\n    return pens\n"


@pytest.fixture(scope="module")
def legacy():
    with LegacyGrader(workers=1) as shared:
        yield shared


@pytest.mark.parametrize(
    ("text", "label", "ours"),
    [
        (GOOD, "tinygsm-code", "tinygsm"),
        ("<llm-code>\n18\n</llm-code>", "llm-code", "omi1"),
        ("It is \\boxed{18}.", "text", "omi2"),
        ("By default it is \\boxed{18}.", "tinygsm-code", "omi2"),
        ("an undefined slope", "tinygsm-code", "other"),
        ("3*6=<<3*6=18>>18\n#### 18", "text", "gsm8k"),
    ],
)
def test_one_substring_decides_the_label(text, label, ours):
    assert legacy_label(text) == label
    assert classify(text) == ours


@pytest.mark.parametrize(
    ("text", "label", "correct"),
    [
        (GOOD, "tinygsm-code", True),
        (GOOD + "\nThat is all.", "tinygsm-code", False),  # prose behind breaks the program; last number is 3
        (
            "def simple_math_problem():\n    return helper(18)",
            "tinygsm-code",
            True,
        ),  # crash, paid by a constant
        (
            "import math\ndef simple_math_problem():\n    return math.ceil(17.5)",
            "tinygsm-code",
            False,
        ),  # import is cut off
        ("<llm-code>\n1/0\n</llm-code>\nso 18", "llm-code", True),  # crash, paid by the prose
        (
            "<llm-code>\ndef f(): 1/0\nf()\n</llm-code>\nso 18",
            "tinygsm-code",
            True,
        ),  # crash with def: relabelled
        ("<llm-code>\n17\n</llm-code><llm-code>\n18\n</llm-code>", "llm-code", False),  # first block only
        ("<llm-code>\nx = 6\nx * 3\n</llm-code>", "llm-code", True),
        ("<llm-code>\n(6 *\n 3)\n</llm-code>", "llm-code", False),  # last line only; the text ends in 3
        ("we end at 18", "text", True),  # a lone last number counts
        ("How many pens are 18 pens?", "text", True),  # and so the prompt answers, where it is scored
        ("", "text", False),
    ],
)
def test_quirks_are_kept(legacy, text, label, correct):
    verdict = legacy.grade_batch([("18", text)])[0]
    assert (verdict.label, verdict.correct) == (label, correct)


def test_on_real_rollouts_our_rules_find_more_and_pay_for_less(shared_data, legacy):
    """Fenced programs end in a fence, which the released rule runs as Python."""
    path = shared_data / "tinygsm_rollouts" / "no_reasoning_832.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream][:200]
    items = [(str(r["expected_answer"]), r["model_response"].split("\nmodel\n", 1)[-1]) for r in rows]
    with Grader(workers=1) as grader:
        ours = grader.grade_batch([(Problem("", "", reference), text) for reference, text in items])
    theirs = legacy.grade_batch(items)
    crashed = [
        mine
        for mine, old in zip(ours, theirs, strict=True)
        if old.correct and mine.outcome in ("error", "no_answer")
    ]
    assert sum(v.correct for v in ours) > sum(v.correct for v in theirs)
    assert all(not verdict.correct for verdict in crashed)


@pytest.mark.medium
def test_doctor_rows_name_every_tier_and_layer():
    rows = sandbox_report()
    names = [name for name, _, _ in rows]
    assert names[:2] == ["sandbox tier 1", "sandbox tier 2"]
    assert "algebra worker" in names
    assert {f"layer {n}" for n in ("limits", "no_new_privs", "landlock", "seccomp", "namespaces")} < set(
        names
    )
    assert rows[0][1] == "on"
    assert all(state in ("on", "off", "missing") and detail for _, state, detail in rows)


def test_a_program_that_our_grader_has_just_run_is_not_run_again(monkeypatch):
    problem = Problem("p", "", "18")
    crash = "def simple_math_problem() -> int:\n    return pens + 18\n"
    texts = [GOOD, crash, "<llm-code>\na = 6\na * 3\n</llm-code>", GOOD + "\nThat is all."]
    with LegacyGrader() as alone:
        expected = alone.grade_batch([("18", text) for text in texts])
    with Grader() as ours, LegacyGrader(beside=ours.runner) as beside:
        ours.grade_batch([(problem, text) for text in texts])
        run = []
        plain = beside._runner.run_all
        monkeypatch.setattr(
            beside._runner, "run_all", lambda programs: run.extend(programs) or plain(programs)
        )
        assert beside.grade_batch([("18", text) for text in texts]) == expected
    assert len(run) == 1  # only the one that ours cuts off before the prose
