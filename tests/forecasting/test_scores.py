"""Scores of forecasts against values worked out by hand and against simulated forecasters."""

import numpy as np
import pytest

from echochamber.forecasting.scores import (
    Scored,
    brier_ratio,
    by_base,
    calibration_curve,
    coverage,
    reliability,
    reliability_band,
)


def test_brier_and_log_score_of_one_forecast():
    one = Scored("b", "grpo", {"x": 0.7, "y": 0.2, "z": 0.1}, "y")
    assert one.brier == pytest.approx(0.7**2 + 0.8**2 + 0.1**2)
    assert one.log_score == pytest.approx(-np.log(0.2))
    assert not one.hit
    assert Scored("b", "grpo", {"x": 0.5, "y": 0.5}, "unnamed").brier == pytest.approx(1.5)
    assert Scored("b", "grpo", {"x": 1.0, "y": 0.0}, "y").log_score == pytest.approx(-np.log(1e-3))


def test_the_interval_resamples_bases_and_not_runs():
    bases = ["a"] * 50 + ["b"] * 50
    values = np.array([0.0] * 50 + [1.0] * 50)
    found = by_base(bases, lambda rows: float(values[rows].mean()))
    # Two bases: a resample has none, one or two of each, so the interval is everything.
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_the_ratio_compares_the_same_runs():
    ours = [Scored(str(i), "grpo", {"x": 0.9, "y": 0.1}, "x") for i in range(4)]
    other = [Scored(str(i), "grpo", {"x": 0.8, "y": 0.2}, "x") for i in range(4)]
    found = brier_ratio(ours, other)
    assert found.value == pytest.approx(0.02 / 0.08)
    assert found.low == pytest.approx(found.high)
    with pytest.raises(ValueError, match="same runs"):
        brier_ratio(ours, other[::-1])


def _drawn(stream, count, sharpen):
    """Forecasts of three behaviours; winners are drawn from the probabilities before they are sharpened."""
    found = []
    for i in range(count):
        p = stream.dirichlet(np.ones(3))
        winner = "xyz"[int(stream.choice(3, p=p))]
        stated = p**sharpen / (p**sharpen).sum()
        found.append(Scored(str(i), "grpo", dict(zip("xyz", stated.tolist(), strict=True)), winner))
    return found


@pytest.mark.medium
def test_a_calibrated_forecaster_lies_in_the_band_and_an_overconfident_one_does_not():
    stream = np.random.default_rng(0)
    inside = 0
    for _ in range(40):
        scored = _drawn(stream, 100, 1.0)
        low, high = reliability_band(scored, draws=200)
        inside += low <= reliability(scored) <= high
    assert inside >= 34  # 95% of 40 is 38; under 34 has probability 0.003
    bold = _drawn(stream, 200, 4.0)
    assert reliability(bold) > 2 * reliability_band(bold, draws=200)[1]


def test_the_calibration_curve_has_every_forecast_once():
    scored = _drawn(np.random.default_rng(1), 100, 1.0)
    curve = calibration_curve(scored, bins=5)
    assert sum(number for _, _, number in curve) == 300
    assert [stated for stated, _, _ in curve] == sorted(stated for stated, _, _ in curve)
    mean = sum(rate * number for _, rate, number in curve) / 300
    assert mean == pytest.approx(1 / 3)


def test_coverage_is_the_share_inside():
    found = coverage(["a", "b", "c", "d"], [True, True, True, False])
    assert found.value == 0.75
    assert found.low < 0.75 < found.high
