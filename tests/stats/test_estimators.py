"""pass@k and maj@k against brute force over every subset."""

from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echochamber.stats.majority import maj_at_k
from echochamber.stats.pass_at_k import pass_at_k, powers_up_to

ANSWERS = [*"RRRRabcd", None]


def brute_pass(answers: list[str | None], k: int) -> Fraction:
    subsets = list(combinations(answers, k))
    return Fraction(sum("R" in subset for subset in subsets), len(subsets))


def brute_majority(answers: list[str | None], k: int) -> Fraction:
    """The definition, said slowly: vote, split ties, average over subsets."""
    total, count = Fraction(0), 0
    for subset in combinations(answers, k):
        votes = Counter(answer for answer in subset if answer is not None)
        top = [answer for answer, n in votes.items() if n == max(votes.values())]
        total += Fraction(1, len(top)) if "R" in top else 0
        count += 1
    return total / count


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=9))
def test_both_equal_enumeration(answers: list[str | None]) -> None:
    votes = Counter(a for a in answers if a is not None)
    right = votes.pop("R", 0)
    ks = list(range(1, len(answers) + 1))
    majority = maj_at_k(right, votes.values(), len(answers), ks)
    for k in ks:
        assert pass_at_k(len(answers), right, k) == pytest.approx(float(brute_pass(answers, k)), abs=1e-12)
        assert majority[k - 1] == pytest.approx(float(brute_majority(answers, k)), abs=1e-12)


def test_many_ties_equal_enumeration() -> None:
    answers = list("RRaabbccddR")
    expected = [float(brute_majority(answers, k)) for k in range(1, 12)]
    assert maj_at_k(3, [2, 2, 2, 2], 11, range(1, 12)) == pytest.approx(expected, abs=1e-12)


def test_majority_agrees_with_simulation_at_64_samples() -> None:
    counts = [14, 13, 9, 6, 6, 3, 1, 1, 1]
    pool = np.repeat(np.arange(len(counts) + 1), [*counts, 10])
    stream, draws, score = np.random.default_rng(5), 20000, 0.0
    for _ in range(draws):
        votes = np.bincount(stream.permutation(pool)[:16], minlength=10)[:9]
        score += (votes[0] == votes.max()) / max((votes == votes.max()).sum(), 1)
    assert maj_at_k(14, counts[1:], 64, [16])[0] == pytest.approx(score / draws, abs=0.012)


@pytest.mark.parametrize(("right", "expected"), [(0, 0.0), (1024, 1.0)])
def test_large_counts_neither_overflow_nor_drift(right: int, expected: float) -> None:
    ks = [1, 64, 1024]
    assert maj_at_k(right, [], 1024, ks) == pytest.approx([expected] * 3, abs=1e-9)
    assert [float(pass_at_k(1024, right, k)) for k in ks] == pytest.approx([expected] * 3, abs=1e-12)


def test_first_vote_is_accuracy() -> None:
    assert maj_at_k(300, [200, 100, 24], 1024, [1])[0] == pytest.approx(300 / 1024, abs=1e-11)


def test_more_k_than_samples_is_not_estimable() -> None:
    assert np.isnan(pass_at_k([4, 8], [2, 2], 8)).tolist() == [True, False]
    assert np.isnan(maj_at_k(1, [1], 4, [4, 8])).tolist() == [False, True]


def test_nobody_answers() -> None:
    assert maj_at_k(0, [], 8, [1, 8]).tolist() == [0.0, 0.0]


def test_powers_end_at_the_number_of_samples() -> None:
    assert powers_up_to(64) == [1, 2, 4, 8, 16, 32, 64]
    assert powers_up_to(0) == []
