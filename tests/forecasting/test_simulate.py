"""Simulated runs: what pays wins, a coin prefers nobody, draws of a table are as wide as its counts say."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from echochamber.core.errors import UserError
from echochamber.forecasting.arm_forecast import check_forecastable
from echochamber.forecasting.behaviour_table import BehaviourTable
from echochamber.forecasting.outcome import outcome_of
from echochamber.forecasting.run_scenarios import run_scenarios
from echochamber.forecasting.scenarios import REASONS, scenarios, without
from echochamber.forecasting.simulate import simulate_once
from echochamber.study.forecast_checkpoint import arm_settings

from .tables import GAINS, arm, table_of


def _final(table, config, runs=8):
    return np.array([simulate_once(table, config, GAINS, seed).shares[-1] for seed in range(runs)])


@pytest.mark.parametrize("algorithm", ["grpo", "rloo", "ppo", "expert_iteration"])
@pytest.mark.medium
def test_the_more_accurate_of_two_equals_wins(algorithm):
    final = _final(table_of([0.5, 0.5], [0.2, 0.8]), arm(algorithm=algorithm), runs=4)
    assert (final[:, 1] > 0.6).all()


@pytest.mark.medium
def test_a_coin_prefers_neither_of_two_equals():
    final = _final(table_of([0.5, 0.5], [0.2, 0.8]), arm(algorithm="rloo", reward="random"), runs=16)
    deviation = final[:, 0].std(ddof=1) / 4
    assert deviation > 0.005, "runs under a coin drift"
    assert abs(final[:, 0].mean() - 0.5) < 3 * deviation


def test_skill_grows_and_a_coin_teaches_nothing():
    table = table_of([0.5, 0.5], [0.5, 0.5])
    learned = simulate_once(table, arm(steps=20), GAINS, 0).accuracies
    coin = simulate_once(table, arm(steps=20, reward="random"), GAINS, 0).accuracies
    assert learned[-1].mean() - learned[0].mean() > 0.02
    assert abs(coin[-1] - coin[0]).mean() < (learned[-1] - learned[0]).mean()


def test_a_behaviour_whose_answers_cannot_sharpen_learns_nothing():
    table = replace(table_of([0.5, 0.5], [0.5, 0.5]), sharpening=np.array([4.0, 0.0]))
    learned = simulate_once(table, arm(steps=8), GAINS, 0).accuracies
    assert learned[-1][0] > learned[0][0] + 0.02
    assert learned[-1][1] == pytest.approx(learned[0][1], abs=0.005)


@pytest.mark.medium
def test_a_run_is_a_function_of_its_arguments_and_workers_change_nothing():
    table, config = table_of([0.6, 0.4], [0.3, 0.6]), arm(steps=3)
    chosen = scenarios(table, config)[:2]
    one, two = (run_scenarios(chosen, GAINS, 3, 2, 4, workers, _nothing, lambda: None) for workers in (1, 2))
    assert one == two
    assert [outcome.runs for outcome in one] == [3, 2]


def _nothing() -> None:
    """Processes need no preparation here."""


@pytest.mark.medium
def test_the_kl_penalty_keeps_the_base():
    table = table_of([0.5, 0.5], [0.2, 0.8])
    free = _final(table, arm(steps=20), runs=3)[:, 1].mean()
    held = _final(table, arm(steps=20, kl={"coef": 1.0}, algorithm="rloo"), runs=3)[:, 1].mean()
    assert free > held + 0.1


def test_one_sample_per_problem_is_no_knowledge_of_problems():
    one = table_of([1.0, 0.0], [0.5, 0.0], problems=400, samples=1)
    stream = np.random.default_rng(0)
    right = (stream.random(400) < 0.5).astype(float)
    one = replace(one, right=np.stack([right, 0 * right], 1))
    _, accuracies = one.draw(stream)
    assert accuracies[:, 0].mean() == pytest.approx(0.5, abs=0.08)
    assert accuracies[:, 0].std() < 0.35, "a Bernoulli draw per problem would have 0.5"


def test_problems_that_differ_stay_different():
    table = table_of([0.5, 0.5], [0.5, 0.5], problems=60, samples=40)
    right = table.num.copy()
    right[::2] = 0
    table = replace(table, right=right)
    _, accuracies = table.draw(np.random.default_rng(0))
    assert accuracies[::2].mean() < 0.1
    assert accuracies[1::2].mean() > 0.9


def test_counts_from_records_leave_out_greedy_and_ungraded_completions():
    rows = [
        {"problem_set": "s", "problem_id": f"p{i % 3}", "sample": sample, "format": name, "correct": right,
         "outcome": outcome, "num_tokens": tokens, "text": f"{i}", "answer": f"{i}"}
        for i, (sample, name, right, outcome, tokens) in enumerate(
            [(-1, "a", True, "correct", 9), (0, "a", True, "correct", 4), (1, "b", False, "wrong", 8),
             (2, "b", False, "infrastructure", 8), (0, "other", False, "no_answer", 2)]
        )
    ]  # fmt: skip
    table = BehaviourTable.from_records(pl.DataFrame(rows), "s")
    assert table.behaviours == ("a", "b", "other")
    assert table.num.sum(0).tolist() == [1, 1, 1]
    assert table.right.sum(0).tolist() == [1, 0, 0]
    assert table.tokens.tolist() == [[4, 4], [8, 8], [2, 2]]
    with pytest.raises(UserError, match="no graded completion"):
        BehaviourTable.from_records(pl.DataFrame(rows), "t")


def test_the_outcome_adds_up():
    table, config = table_of([0.5, 0.3, 0.2], [0.2, 0.5, 0.5]), arm(steps=6)
    paths = [simulate_once(table, config, GAINS, seed) for seed in range(5)]
    outcome = outcome_of(table, paths, 8)
    assert sum(outcome.win_probability.values()) == pytest.approx(1)
    assert min(outcome.win_probability.values()) > 0
    gain = outcome.accuracy_after.value - outcome.accuracy_before.value
    parts = outcome.choice.value + outcome.skill.value + outcome.interaction.value
    assert parts == pytest.approx(gain, abs=1e-6)
    assert list(outcome.pass_at_k) == [1, 2, 4, 8]
    assert outcome.pass_at_k[1][0].value == pytest.approx(outcome.accuracy_before.value)
    for estimate in outcome.final_shares.values():
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("reason", REASONS)
def test_without_a_difference_the_others_stay(reason):
    table, config = table_of([0.6, 0.4], [0.25, 0.75], [(20, 10), (40, 30)]), arm()
    table = replace(table, sharpening=np.array([2.0, 1.0]))
    changed, as_config = without(table, config, reason)
    assert (np.ptp(changed.sharpening) == 0) == (reason == "accuracy")
    equal = {
        "accuracy": np.ptp(changed.accuracies) < 0.02,
        "frequency": np.ptp(changed.shares) < 0.02,
        "length": np.ptp(changed.tokens) == 0,
        "reward": as_config.reward == "random",
    }
    assert [name for name, holds in equal.items() if holds] == [reason]


def test_what_cannot_be_forecast_is_said():
    lonely = table_of([1.0, 0.0], [0.5, 0.5])
    with pytest.raises(UserError, match=r"1 of 2 behaviours has 30 completions or more \(b0 800, b1 0\)"):
        check_forecastable(lonely, lonely.forecastable(), "s", arm())
    never = table_of([0.5, 0.5], [0.0, 0.0])
    with pytest.raises(UserError, match="none of 800 completions is right"):
        check_forecastable(never, never.forecastable(), "s", arm())
    check_forecastable(never, never.forecastable(), "s", arm(reward="random"))
    with pytest.raises(UserError, match="did you mean 'rloo'"):
        arm_settings("rlo", [])
    assert arm_settings("grpo", ["steps=7"]).steps == 7
    assert arm_settings("paper-ppo", []).prompts_per_step == 64
