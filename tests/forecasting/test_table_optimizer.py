"""Steps are gradients over the noise of an update; a fresh start keeps that rule."""

import numpy as np
import pytest
import torch

from echochamber.forecasting.simulate import start_table_learner
from echochamber.forecasting.table_optimizer import TableOptimizer
from echochamber.forecasting.table_policy import WORDS, Shape
from echochamber.rl.targets import estimate
from echochamber.rl.update import accumulate_gradient
from echochamber.rl.update_stats import UpdateStats
from tests.rl.enumerated import runtime

from .tables import GAINS, arm
from .test_table_policy import _sampler

SHAPE = Shape(np.array([[9, 9], [9, 9]]), np.array([3, 3]), np.array([1, 1]), np.ones(2))


def _learner(**settings):
    flat = np.full((4, 2), 0.5)
    return start_table_learner(flat, flat, SHAPE, arm(**settings), GAINS)


def _moved(noise, gradient, steps=3):
    learner = _learner()
    policy = learner.policy
    for _ in range(steps):
        policy.word.grad = torch.full((WORDS,), noise)
        policy.choice.grad = torch.tensor([gradient, -gradient])
        learner.optimizer.step(1.0)
    return float(policy.choice.detach()[1])


def test_a_step_is_the_ratio_of_gradient_and_noise():
    # Six words a completion; the squares of eight word gradients hold (1 - 1/8) of a unit score's.
    unit = (WORDS * 0.01**2 / (1 - 1 / WORDS) / 6) ** 0.5
    assert _moved(0.01, 0.002) == pytest.approx(3 * 1e-3 * GAINS.choice * 0.002 / unit, rel=1e-4)
    assert _moved(0.01, 0.001) == pytest.approx(_moved(0.01, 0.002) / 2, rel=1e-4)
    assert _moved(0.02, 0.002) == pytest.approx(_moved(0.01, 0.002) / 2, rel=1e-4)


def test_words_never_move_and_what_has_no_gradient_stays():
    learner = _learner()
    policy = learner.policy
    policy.word.grad = torch.full((WORDS,), 0.01)
    policy.skill.grad = torch.tensor([0.01])
    learner.optimizer.step(1.0)
    assert float(policy.skill.detach()) < 0
    assert not policy.word.any()
    assert not policy.choice.any()


def test_the_noise_is_that_of_a_token_whose_choice_earns_nothing():
    config = arm(algorithm="rloo", prompts_per_step=256, loss={"average": "tokens"})
    learner, sampler = _sampler(config, distinct=False)
    collection = sampler.step(1)
    targets = estimate(learner, collection, config, runtime())
    chosen = np.arange(len(collection.rollouts))
    accumulate_gradient(learner, collection, targets, chosen, config, runtime(), UpdateStats())
    advantages = torch.cat(targets.columns["advantages"])
    noise = float(learner.policy.word.grad.square().sum()) / (1 - 1 / WORDS)
    words = sum(len(rollout.completion.token_ids) - 3 for rollout in collection.rollouts)
    tokens = sum(len(rollout.completion.token_ids) for rollout in collection.rollouts)
    # Chi-squared with seven degrees of freedom: its standard deviation is about half its mean.
    assert 0.1 < noise / (words * float(advantages.square().mean()) / tokens**2) < 3.5


def test_a_fresh_optimizer_is_of_the_same_kind():
    learner = _learner(algorithm="expert_iteration")
    learner.policy.word.grad = torch.full((WORDS,), 0.01)
    learner.policy.choice.grad = torch.tensor([0.01, 0.0])
    learner.optimizer.step(1.0)
    learner.restart(arm(algorithm="expert_iteration"))
    assert isinstance(learner.optimizer, TableOptimizer)
    assert not learner.policy.choice.any()
    assert learner.optimizer.parts[0][0].steps == 0


def test_a_critic_that_shares_the_optimizer_is_trained():
    learner = _learner(algorithm="ppo", critic={"trunk": "shared"})
    learner.policy.word.grad = torch.full((WORDS,), 0.01)
    learner.critic.score.weight.grad = torch.ones_like(learner.critic.score.weight)
    learner.optimizer.step(1.0)
    assert (learner.critic.score.weight < 0).all()
