"""Agreement with recorded results of real completions; every disagreement is named here."""

import gzip
import json

import pytest

from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig
from echochamber.verify.sandbox.lockdown import REQUIRED, available_layers


def rows_of(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


@pytest.mark.medium
def test_the_960_rollouts(shared_data):
    """All 338 recorded as CORRECT are correct. Two more are: the recorder compared floats exactly.

    The recorder calls a program that printed nothing INCORRECT too, so the outcome behind a wrong
    answer is not compared.
    """
    folder = shared_data / "tinygsm_rollouts"
    rows = rows_of(folder / "og_tinygsm_128.jsonl") + rows_of(folder / "no_reasoning_832.jsonl.gz")
    items = [
        (Problem(str(n), "", str(r["expected_answer"])), r["model_response"].split("\nmodel\n", 1)[-1])
        for n, r in enumerate(rows)
    ]
    with Grader(workers=2) as grader:
        verdicts = grader.grade_batch(items)
    differ = [
        r["execution_result"]
        for r, v in zip(rows, verdicts, strict=True)
        if v.correct != (r["status"] == "CORRECT")
    ]
    assert differ == ["299.99999999999994", "12.000000000000002"]
    for row, verdict in zip(rows, verdicts, strict=True):
        if row["status"] == "ERROR":
            assert verdict.outcome in ("error", "no_answer")
        if row["extracted_code"] == "":
            assert verdict.outcome == "no_answer"


@pytest.mark.medium
def test_the_400_programs(shared_data):
    """All 292 recorded numbers are reproduced. `Success` says nothing; lists are no number."""
    rows = rows_of(shared_data / "tinygsm_like" / "programs_400.jsonl")
    with Grader(workers=2) as grader:
        verdicts = grader.grade_batch(
            [(Problem(str(n), "", str(r["result"])), r["response"]) for n, r in enumerate(rows)]
        )
    numbers = [(r, v) for r, v in zip(rows, verdicts, strict=True) if isinstance(r["result"], int | float)]
    assert len(numbers) == 292
    assert [v for _, v in numbers if not v.correct] == []
    errors = [v for r, v in zip(rows, verdicts, strict=True) if str(r["result"]).startswith("Error")]
    # Two ran only after Markdown escapes were undone, which the recorder did not do.
    assert sorted(v.answer for v in errors if v.answer) == ["11", "15"]


@pytest.mark.skipif(
    not all(available_layers()[n] for n in REQUIRED), reason="this machine cannot lock a process down"
)
@pytest.mark.medium
def test_openmathinstruct_1_with_the_second_tier(shared_data):
    """94 of 100: in six rows the program's value is not the reference, only the box is."""
    rows = rows_of(shared_data / "samples" / "openmathinstruct1.jsonl")
    items = [(Problem(str(n), "", r["expected_answer"]), r["generated_solution"]) for n, r in enumerate(rows)]
    with Grader(GraderConfig(tier2=True, algebra_seconds=5.0), workers=2) as grader:
        verdicts = grader.grade_batch(items)
    wrong = {n: v.answer for n, v in enumerate(verdicts) if not v.correct}
    assert set(wrong) == {0, 20, 37, 38, 41, 88}
    assert wrong[0] == "900"  # the reference says 90000, the row's own box says 900
    assert {v.outcome for v in verdicts} == {"correct", "wrong"}


def test_boxes_of_openmathinstruct_2_and_math_500(shared_data):
    omi2 = rows_of(shared_data / "samples" / "openmathinstruct2.jsonl")
    math = rows_of(shared_data / "math500" / "test.jsonl")
    items = [
        (Problem(f"o{n}", "", r["expected_answer"]), r["generated_solution"]) for n, r in enumerate(omi2)
    ]
    items += [(Problem(f"m{n}", "", r["answer"]), r["solution"]) for n, r in enumerate(math)]
    with Grader(GraderConfig(algebra_seconds=5.0), workers=1) as grader:
        assert [v for v in grader.grade_batch(items) if not v.correct] == []


@pytest.mark.slow
def test_answers_of_other_problems_are_wrong(shared_data):
    """MATH-500 against itself, shifted: no answer of another problem passes unless it is the same text."""
    rows = rows_of(shared_data / "math500" / "test.jsonl")
    pairs = [(a, b) for shift in (1, 7, 101) for a, b in zip(rows, rows[shift:] + rows[:shift], strict=True)]
    pairs = [(a, b) for a, b in pairs if a["answer"].removeprefix("x=") != b["answer"].removeprefix("x=")]
    items = [
        (Problem(str(n), "", a["answer"]), f"\\boxed{{{b['answer']}}}") for n, (a, b) in enumerate(pairs)
    ]
    with Grader(GraderConfig(algebra_seconds=5.0), workers=1) as grader:
        assert [item for item, v in zip(items, grader.grade_batch(items), strict=True) if v.correct] == []
