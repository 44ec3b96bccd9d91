"""Nominal 95% intervals hold their level in simulation; the whole table is in docs/statistics.md."""

import pytest

from benchmarks.interval_coverage import over_seeds, paired_change, within_seed


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("problems", [50, 200])
def test_bootstrap_by_problem(share: float, problems: int) -> None:
    assert within_seed(share, problems, worlds=400) + 0.01 >= 0.93
    assert within_seed(share, problems, worlds=400) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_shares_over_seeds(share: float, seeds: int) -> None:
    plain, shown = over_seeds(share, seeds, problems=50, worlds=1000)
    assert 0.92 <= shown <= 0.98
    assert plain <= shown + 0.02


@pytest.mark.slow
def test_student_alone_fails_near_an_end_where_seeds_differ() -> None:
    """Why `share_interval` exists."""
    plain, shown = over_seeds(0.02, 3, problems=50, spread=0.4)
    assert plain < 0.7
    assert shown > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_paired_change(share: float) -> None:
    assert 0.92 <= paired_change(share, 200, worlds=400) <= 0.98
