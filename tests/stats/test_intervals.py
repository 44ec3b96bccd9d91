"""Closed-form intervals at published values, the bootstrap by simulation."""

import numpy as np
import pytest

from echochamber.stats.bootstrap import (
    _widened_tail,
    mean_interval,
    paired_interval,
    problem_weights,
    ratio_interval,
    resampled_interval,
)
from echochamber.stats.intervals import (
    holm,
    score_interval,
    share_interval,
    t_cdf,
    t_interval,
    t_quantile,
    wilson,
)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.7062), (2, 4.302653), (4, 2.776445), (9, 2.262157), (30, 2.042272), (1000, 1.962339)],
)
def test_student_quantiles_are_those_of_the_tables(degrees: int, expected: float) -> None:
    assert t_quantile(0.975, degrees) == pytest.approx(expected, rel=1e-6)
    assert t_quantile(0.025, degrees) == -t_quantile(0.975, degrees)
    assert t_cdf(t_quantile(0.9, degrees), degrees) == pytest.approx(0.9, abs=1e-10)


def test_wilson_at_known_points() -> None:
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(0, 20)[1] == pytest.approx(0.161125, abs=1e-6)
    assert np.isnan(wilson(0, 0)).all()


def test_t_interval_over_three_seeds_by_hand() -> None:
    low, high = t_interval([0.5, 0.6, 0.7])
    assert (low, high) == pytest.approx(
        (0.6 - 4.302653 * 0.1 / 3**0.5, 0.6 + 4.302653 * 0.1 / 3**0.5), abs=1e-6
    )


def test_one_seed_has_no_interval() -> None:
    assert np.isnan(t_interval([0.5])).all()
    assert np.isnan(t_interval([0.5, float("nan")])).all()


def test_pairs_cancel_what_seeds_share() -> None:
    change = np.array([0.2, 0.6, 1.0]) - np.array([0.1, 0.5, 0.9])
    assert t_interval(change) == pytest.approx((0.1, 0.1))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_resampling_weights_depend_on_seed_alone() -> None:
    weights = problem_weights(7, seed=3)
    assert np.array_equal(weights, problem_weights(7, seed=3))
    assert not np.array_equal(weights, problem_weights(7, seed=4))
    assert set(weights.sum(1)) == {7}


@pytest.mark.parametrize("size", [2, 3, 24, 200, 2000])
def test_percentiles_of_resamples_are_those_of_numpy_to_the_bit(size: int) -> None:
    """Widened as the docstring says, here by hand."""
    stream = np.random.default_rng(size)
    for units in (2, 3, 24, 1319):
        drawn = stream.normal(size=size)
        tail = _widened_tail(units, 0.95)
        expected = np.quantile(drawn, [tail, 1 - tail]).tolist()
        assert list(resampled_interval(drawn, units)) == expected


def test_bootstrap_width_is_that_of_clusters_not_of_completions() -> None:
    """Sixteen identical completions a problem carry no more than one does."""
    values = np.random.default_rng(0).random(400) < 0.5
    low, high = ratio_interval(problem_weights(400, 0), values * 16.0, np.full(400, 16.0))
    expected = 2 * 1.96 * (0.25 / 400) ** 0.5
    assert high - low == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_unanimous_problems_do_not_give_a_zero_width(share: float) -> None:
    low, high = mean_interval(problem_weights(50, 0), np.full(50, share))
    assert 0.06 < high - low < 0.09
    assert wilson(50 * share, 50) == pytest.approx((low, high), abs=0.01)


def test_score_interval_is_wilson_for_independent_units() -> None:
    """Fifty 0/1 problems, 2 right: the effective sample is (nearly) the fifty, the quantile Student's."""
    values = np.array([1.0] * 2 + [0.0] * 48)
    low, high = score_interval(0.04, float(values.var(ddof=1)) / 50, 50)
    assert (low, high) == pytest.approx(wilson(2, 50), abs=0.01)
    assert mean_interval(problem_weights(50, 0), values) == pytest.approx((low, high), abs=1e-9)


def test_shares_near_an_end_stay_inside_and_lean_inward() -> None:
    low, high = share_interval([0.97, 0.99, 0.995])
    assert 0.8 < low < 0.95 < 0.997 < high < 1.0
    assert share_interval([0.5, 0.6, 0.7]) == t_interval([0.5, 0.6, 0.7])


def test_paired_interval_is_narrow_where_problems_agree() -> None:
    stream = np.random.default_rng(1)
    before = stream.random(200)
    after = np.clip(before + 0.1 + 0.01 * stream.standard_normal(200), 0, 2)
    low, high = paired_interval(problem_weights(200, 0), before, after)
    assert 0.09 < low < 0.1 < high < 0.11
    assert paired_interval(problem_weights(200, 0), before, before)[1] == pytest.approx(wilson(0, 200)[1])


def test_coverage_of_clustered_completions_is_nominal() -> None:
    """100 problems, 8 completions each that share a problem's own accuracy; 400 worlds."""
    stream, hits, worlds = np.random.default_rng(2), 0, 400
    weights = problem_weights(100, 0, resamples=600)
    for _ in range(worlds):
        accuracies = stream.beta(0.6, 0.9, size=100)
        low, high = mean_interval(weights, stream.binomial(8, accuracies) / 8)
        hits += low <= 0.4 <= high
    assert 0.92 <= hits / worlds <= 0.975
