"""The overlong penalty at its corners; the adaptive coefficient moves the right way and not too far."""

import pytest
import torch

from echochamber.formulas.penalties import overlong_penalty
from echochamber.formulas.schedules import adapted_coefficient


def test_overlong_penalty_falls_in_a_line_over_the_buffer():
    lengths = torch.tensor([1, 80, 90, 100, 100])
    assert overlong_penalty(lengths, limit=100, buffer=20).tolist() == pytest.approx([0, 0, -0.5, -1, -1])
    assert overlong_penalty(lengths, limit=100, buffer=0).tolist() == [0, 0, 0, 0, 0]


def test_coefficient_rises_above_the_target_and_falls_below_by_at_most_a_fifth_of_the_gain():
    assert adapted_coefficient(0.1, kl=0.2, target=0.1, gain=0.5) == pytest.approx(0.1 * 1.1)
    assert adapted_coefficient(0.1, kl=0.0, target=0.1, gain=0.5) == pytest.approx(0.1 * 0.9)
    assert adapted_coefficient(0.1, kl=0.1, target=0.1, gain=0.5) == pytest.approx(0.1)
    assert adapted_coefficient(0.1, kl=0.11, target=0.1, gain=1.0) == pytest.approx(0.1 * 1.1)
