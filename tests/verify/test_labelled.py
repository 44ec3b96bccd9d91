"""False positives and false negatives of the whole grader on the labelled set."""

import pytest

from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig

from .labelled_cases import labelled_cases

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def graded():
    cases = labelled_cases()
    with Grader(GraderConfig(algebra_seconds=5.0), workers=2) as grader:
        return list(
            zip(
                cases,
                grader.grade_batch([(Problem("", "", c.reference), c.completion) for c in cases]),
                strict=True,
            )
        )


def test_the_set_is_large_and_balanced(graded):
    right = sum(case.right for case, _ in graded)
    assert len(graded) > 1000
    assert 0.4 < right / len(graded) < 0.6


def test_no_wrong_answer_is_paid(graded):
    assert [case for case, verdict in graded if verdict.correct and not case.right] == []


def test_no_right_answer_is_refused(graded):
    assert [(case, verdict) for case, verdict in graded if case.right and not verdict.correct] == []


def test_nothing_was_left_undecided_by_us(graded):
    assert {verdict.outcome for _, verdict in graded} <= {"correct", "wrong", "no_answer", "error"}
