"""Warnings come when something is wrong for a while, once, and name the number."""

import re

import pytest

from echochamber.rl.config import RLConfig
from echochamber.rl.training_monitor import PATIENCE, TrainingMonitor

WELL = {
    "reward/mean": 0.5,
    "reward/frac_zero_std": 0.2,
    "accuracy": 0.5,
    "policy/kl": 0.1,
    "completion/truncated": 0.0,
    "completion/length_mean": 50.0,
    "grader/infrastructure": 0,
    "num_completions": 256,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reward/mean": 0.0, "accuracy": 0.0}, "no completion was rewarded"),
        ({"reward/mean": None}, "no completion was rewarded"),
        ({"policy/kl": 2.5}, "KL to the base is 2.50"),
        (
            {"completion/truncated": 0.9, "completion/length_mean": 128.0},
            "90% of completions reach max_new_tokens 160 .mean length 128",
        ),
        ({"grader/infrastructure": 40}, "40 of 256"),
    ],
)
def test_a_warning_comes_once_after_a_while_and_again_after_it_had_stopped(change, said):
    monitor = TrainingMonitor(RLConfig())
    given = [monitor.warnings(step, WELL | change) for step in range(1, 2 * PATIENCE)]
    assert [bool(lines) for lines in given] == [step == PATIENCE for step in range(1, 2 * PATIENCE)]
    (line,) = given[PATIENCE - 1]

    assert re.search(said, line)
    assert f"step {PATIENCE}" in line
    assert monitor.warnings(99, WELL) == []
    assert [bool(monitor.warnings(100 + i, WELL | change)) for i in range(PATIENCE)] == [False] * (
        PATIENCE - 1
    ) + [True]


def test_a_run_that_is_well_says_nothing():
    monitor = TrainingMonitor(RLConfig())
    assert not any(monitor.warnings(step, WELL) for step in range(20))


@pytest.mark.parametrize(
    ("rate", "zero_std", "said"),
    [
        (
            0.0,
            1.0,
            "none of 8 completions of the base rewarded .95% .* 0.00% to 36.94%.*easier",
        ),
        (
            1.0,
            1.0,
            "all of 8 completions of the base rewarded .95% .* 63.06% to 100.00%.*harder",
        ),
        (0.5, 1.0, None),
        (0.0, 0.5, None),
        (None, 1.0, None),
    ],
)
def test_a_base_without_signal_is_said_before_the_first_update(rate, zero_std, said):
    metrics = WELL | {"reward/mean": rate, "reward/frac_zero_std": zero_std, "num_completions": 8}
    found = TrainingMonitor(RLConfig()).warnings(1, metrics)
    assert len(found) == (said is not None)
    if said:
        assert re.search(f"before the first update: {said}", found[0])
    assert TrainingMonitor(RLConfig()).warnings(2, metrics) == []
