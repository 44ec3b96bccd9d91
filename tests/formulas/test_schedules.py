"""Values at named points."""

import pytest

from echochamber.formulas.schedules import log_spaced_steps, paper_grid, warmup_cosine


def test_warmup_rises_in_equal_steps_and_cosine_ends_at_the_floor():
    factors = [warmup_cosine(step, 100, 10, 0.1) for step in range(101)]
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.55)
    assert factors[100] == pytest.approx(0.1)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_no_warmup_starts_at_the_peak():
    assert warmup_cosine(0, 10, 0, 0.0) == 1.0


@pytest.mark.parametrize(("total", "count"), [(1, 8), (5, 8), (60, 8), (1160, 15)])
def test_log_spaced_steps_hold_the_ends_without_duplicates(total, count):
    steps = log_spaced_steps(total, count)
    assert steps[0] == 0
    assert steps[-1] == total
    assert steps == sorted(set(steps))
    assert len(steps) <= count + 1


def test_the_papers_grid():
    expected = [9, 13, 18, 25, 36, 51, 73, 103, 146, 206, 291, 411, 581, 821, 1160]
    assert paper_grid(1160, 15) == [0, *expected]
    assert paper_grid(116, 15)[:3] == [0, 1, 2]
