"""Rewards by name, by family, of a user's own, and their weighted sums."""

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.rl.config import RLConfig
from echochamber.rollout import rewards
from echochamber.rollout.collect import collect
from echochamber.rollout.reward_value import Earned, Reward
from echochamber.rollout.rewards import register_reward, reward_of, reward_row, reward_title

from .test_collect import PROBLEMS, _Engine, _Grader

PROBLEM = Problem("p", "3 boxes of 6 pens?", "18")
COMPLETION = Completion("3 * 6 = 18", (1, 2, 3, 4), (0.0,) * 4, truncated=False)
RIGHT, WRONG = Verdict("omi1", "18", "correct"), Verdict("omi1", "3", "wrong")
LOST = Verdict("omi1", None, "infrastructure")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(rewards, "_REGISTRY", dict(rewards._REGISTRY))


def of(spec, verdict=RIGHT, draws=(0.5,), completion=COMPLETION):
    return reward_of(spec).of(PROBLEM, completion, verdict, draws)


def total(name, verdict=RIGHT, draw=0.5):
    return of(name, verdict, (draw,)).total


def test_shipped_rewards():
    assert (total("correct"), total("correct", WRONG), total("correct", LOST)) == (1.0, 0.0, None)
    assert [total("random", draw=draw) for draw in (0.49, 0.51)] == [1.0, 0.0]
    assert [total(f"format:{name}") for name in ("omi1", "omi2")] == [1.0, 0.0]
    assert [total("random:0.2", draw=draw) for draw in (0.19, 0.21)] == [1.0, 0.0]
    assert [total("thinned:omi1:0.3", draw=draw) for draw in (0.29, 0.31)] == [0.0, 1.0]
    assert total("thinned:omi2:0.3", draw=0.0) == 1.0
    assert (total("thinned:omi1:0.3", WRONG, 0.9), total("thinned:omi1:0.3", LOST, 0.9)) == (0.0, None)
    assert (total("brevity:8"), total("brevity:4"), total("brevity:3")) == (0.5, 0.0, 0.0)
    assert total("brevity") == 1 - 4 / 256


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("corect", "format:NAME"),
        ("format:omi3", "omi1"),
        ("random:2", "between 0 and 1"),
        ("random:x", "between 0 and 1"),
        ("thinned:omi3:0.5", "omi1"),
        ("thinned:omi1", "between 0 and 1"),
        ("brevity:0", "number of tokens"),
        ("brevity:-3", "number of tokens"),
        ({}, "no part has a weight"),
        ({"correct": 0.0}, "no part has a weight"),
        ({"correct": float("inf")}, "finite number"),
        ({"correct": 1.0, "short": 0.1}, "'short' is not known"),
    ],
)
def test_what_is_refused(name, said):
    with pytest.raises(UserError, match=said):
        reward_of(name)


def test_a_function_may_take_all_three_or_four_or_two_arguments():
    register_reward("four", lambda problem, completion, verdict, draw: len(problem.question) + draw)
    register_reward("three", lambda problem, completion, verdict: float(len(completion.text)))
    register_reward("two", lambda verdict, draw: float(verdict.correct) + draw)
    assert [total(name) for name in ("four", "three", "two")] == [18.5, 10.0, 1.5]
    for function in (lambda verdict: 1.0, lambda a, b, c, d, e: 1.0):
        with pytest.raises(UserError, match="must take"):
            register_reward("odd", function)


def test_a_weighted_sum_drives_the_loss_and_keeps_its_parts():
    parts = {"correct": 1.0, "brevity:8": 0.1, "format:omi2": -2.0}
    earned = of(parts, draws=(0, 0, 0))
    assert earned.total == pytest.approx(1.05)
    assert earned.parts == {"correct": 1.0, "brevity:8": 0.5, "format:omi2": 0.0}
    assert of(parts, LOST, (0, 0, 0)).total is None
    assert of(parts, LOST, (0, 0, 0)).parts == {"brevity:8": 0.5, "format:omi2": 0.0}
    backwards = dict(reversed(parts.items()))
    assert of(backwards, draws=(0, 0, 0)) == earned
    assert reward_title(parts) == "1 correct + 0.1 brevity:8 + -2 format:omi2"


def test_a_part_of_weight_0_is_logged_only():
    assert of({"correct": 0.0, "brevity:8": 2.0}, LOST, (0, 0)) == Earned(1.0, {"brevity:8": 0.5})
    assert of({"correct": 0.0, "brevity:8": 2.0}, RIGHT, (0, 0)).parts["correct"] == 1.0


def test_named_parts_of_one_function_are_added():
    register_reward(
        "mine", lambda problem, completion, verdict: {"right": float(verdict.correct), "bias": 0.25}
    )
    assert of("mine") == Earned(1.25, {"mine.right": 1.0, "mine.bias": 0.25})
    assert of({"mine": 2.0, "correct": 1.0}, draws=(0, 0)).total == pytest.approx(3.5)
    register_reward("unknown", lambda problem, completion, verdict: {"a": None, "b": 1.0})
    assert of("unknown") == Earned(None, {"unknown.b": 1.0})
    assert of({"unknown": 1.0, "correct": 1.0}, draws=(0, 0)).total is None
    for value, said in (({}, "no part"), ({"a": "x"}, "returned 'x' for 'a'")):
        row = Reward("odd", lambda problem, completion, verdict, draw, value=value: value)
        with pytest.raises(UserError, match=said):
            row.of(PROBLEM, COMPLETION, RIGHT, [0.0])


def test_parts_draw_independently_and_the_order_in_a_recipe_changes_nothing():
    register_reward("another", lambda verdict, draw: float(draw < 0.5))

    def rollouts(spec):
        return collect(_Engine(), _Grader(), reward_of(spec), PROBLEMS, 12, seed=0, step=1).rollouts

    found = rollouts({"random": 1.0, "another": 3.0})
    coins = np.array([[r.parts["random"], r.parts["another"]] for r in found])
    assert abs(np.corrcoef(coins.T)[0, 1]) < 0.2  # 240 pairs; equal draws would give 1
    assert [r.reward for r in found] == (coins @ [1.0, 3.0]).tolist()
    assert [r.reward for r in rollouts({"another": 3.0, "random": 1.0})] == [r.reward for r in found]
    assert [r.reward for r in rollouts("random")] == [
        r.reward for r in collect(_Engine(), _Grader(), reward_row("random"), PROBLEMS, 12, 0, 1).rollouts
    ]
    assert all(r.parts == {} for r in rollouts("random"))


def test_a_recipe_gives_weights_and_a_name_keeps_its_identity():
    assert RLConfig(reward="correct").identity() == RLConfig().identity()
    composed = RLConfig(reward={"correct": 1, "brevity": 0.1})
    assert composed.identity()["reward"] == {"correct": 1.0, "brevity": 0.1}
    with pytest.raises(UserError, match="'nothing' is not known"):
        RLConfig.parse({"reward": {"nothing": 1.0}}, "x")
