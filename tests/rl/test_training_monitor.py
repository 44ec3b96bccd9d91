"""Warnings come when something is wrong for a while, once, and name the number."""

import re

import pytest

from echochamber.rl.config import RLConfig
from echochamber.rl.training_monitor import PATIENCE, TrainingMonitor

WELL = {
    "reward/mean": 0.5,
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
