"""maj@k of a simulated policy, against sums that can be written down and against the measured one."""

import numpy as np
import polars as pl
import pytest

from echochamber.forecasting.votes import WrongAnswers
from echochamber.stats.majority import maj_at_k

MANY = 400
"""Problems that are alike, so that the drawn votes average out."""


def _records(rows):
    names = ["problem_id", "answer", "correct"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_one_rival():
    """Three votes for one of two answers: p^3 + 3 p^2 (1 - p)."""
    found = WrongAnswers(np.ones((MANY, 1)), np.zeros(MANY)).maj_at_k(np.full(MANY, 0.6), 3)
    assert found == pytest.approx(0.648, abs=0.01)


def test_a_tie_is_shared():
    found = WrongAnswers(np.ones((MANY, 1)), np.zeros(MANY)).maj_at_k(np.full(MANY, 0.5), 2)
    assert found == pytest.approx(0.5, abs=0.01)


def test_without_answers_of_others_one_right_vote_is_enough():
    found = WrongAnswers(np.zeros((MANY, 1)), np.ones(MANY)).maj_at_k(np.full(MANY, 0.3), 4)
    assert found == pytest.approx(1 - 0.7**4, abs=0.01)


def test_answers_that_nobody_repeats_tie_with_a_single_right_vote():
    """Two votes: 0.3^2 for two right ones, and half of 2 * 0.3 * 0.7 for one."""
    found = WrongAnswers(np.zeros((MANY, 1)), np.zeros(MANY)).maj_at_k(np.full(MANY, 0.3), 2)
    assert found == pytest.approx(0.3, abs=0.01)


def test_nothing_right_elects_nothing_and_all_right_everything():
    votes = WrongAnswers(np.zeros((5, 2)), np.zeros(5))
    assert votes.maj_at_k(np.zeros(5), 8) == 0.0
    assert votes.maj_at_k(np.ones(5), 8) == 1.0


def test_a_sample_of_one_problem():
    rows = [("a", "1", False)] * 6 + [("a", "2", False)] * 1 + [("a", None, False)] + [("a", "5", True)] * 2
    found = WrongAnswers.from_records(_records(rows), ["a"])
    # Seven answered: one was given once, so a seventh is not seen yet. One of eight had no answer.
    assert found.chances == pytest.approx(np.array([[6 / 7 * 6 / 8, 6 / 7 * 1 / 8]]))
    assert found.blank == pytest.approx(np.array([1 / 8]))


def test_it_agrees_with_the_measured_vote():
    """A policy that answers as a large sample did has the sample's own maj@k."""
    stream = np.random.default_rng(0)
    chances = stream.dirichlet(np.ones(4), size=60)
    rows, exact = [], []
    for index, chance in enumerate(chances):
        counts = stream.multinomial(400, chance)
        exact.append(maj_at_k(int(counts[0]), counts[1:].tolist(), 400, [8])[0])
        for answer, count in enumerate(counts):
            rows += [(f"p{index:02d}", str(answer), answer == 0)] * int(count)
    found = WrongAnswers.from_records(_records(rows), [f"p{index:02d}" for index in range(60)])
    right = np.array([np.mean([row[2] for row in rows if row[0] == f"p{index:02d}"]) for index in range(60)])
    assert found.maj_at_k(right, 8) == pytest.approx(np.mean(exact), abs=0.02)


def test_completions_without_answers_have_no_vote():
    assert WrongAnswers.from_records(_records([("a", None, False), ("a", None, True)]), ["a"]) is None
