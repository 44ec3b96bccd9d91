"""The table as a decoder: its numbers are the sampler's, and rl computes with it as with a real model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.forecasting.simulate import in_simulated_tokens, shape_of, start_table_learner
from echochamber.forecasting.table_policy import WORDS, Shape, TablePolicy
from echochamber.forecasting.table_rollouts import TableSampler, table_problems
from echochamber.rl.algorithms import registered_algorithms
from echochamber.rl.targets import estimate
from echochamber.rl.update import accumulate_gradient
from echochamber.rl.update_stats import UpdateStats
from echochamber.rollout.collect import Collection, Rollout
from echochamber.rollout.score import all_logprobs
from tests.rl.enumerated import learner_for, runtime

from .tables import GAINS, arm, table_of

SAMPLED = [row for row in registered_algorithms() if not row.demonstrations]


def _sampler(config, seed=0, distinct=True):
    """A sampler over three behaviours whose policy has moved away from its base."""
    table = table_of([0.5, 0.3, 0.2], [0.6, 0.2, 0.4], [(12, 9), (30, 24), (7, 7)])
    shares, accuracies = table.draw(np.random.default_rng(0))
    learner = start_table_learner(shares, accuracies, shape_of(table, 2.0, distinct), config, GAINS)
    policy = learner.policy
    assert isinstance(policy, TablePolicy)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.002 * torch.randn(parameter.shape, generator=stream)
    return learner, TableSampler(config, policy, table.behaviours, table_problems(len(shares)), seed)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_of_packed_rows_are_those_of_the_sampler(temperature):
    config = arm(temperature=temperature)
    learner, sampler = _sampler(config)
    rollouts = sampler.step(1).rollouts
    found = all_logprobs(learner.policy, rollouts, temperature, 2**20, runtime())
    for rollout, logprobs in zip(rollouts, found, strict=True):
        np.testing.assert_allclose(logprobs.numpy(), rollout.completion.logprobs, atol=1e-5)
    assert any(min(rollout.completion.logprobs) < -0.5 for rollout in rollouts)


def test_sampled_shares_and_accuracies_are_those_of_the_policy():
    config = arm(prompts_per_step=400, samples_per_prompt=16, problems={"count": 40})
    learner, sampler = _sampler(config)
    rollouts = sampler.step(1).rollouts
    chance = torch.softmax(learner.policy.choice_logits(), 1).detach().numpy()
    right = torch.sigmoid(learner.policy.skill_logits()).detach().numpy()
    for i, name in enumerate(sampler.behaviours):
        mine = [r for r in rollouts if r.verdict.format == name]
        assert len(mine) / len(rollouts) == pytest.approx(chance[:, i].mean(), abs=0.02)
        wanted = (chance * right)[:, i].sum() / chance[:, i].sum()
        assert np.mean([r.verdict.correct for r in mine]) == pytest.approx(wanted, abs=0.04)


def test_gradients_reach_the_tables_of_choice_and_skill():
    config = arm()
    learner, sampler = _sampler(config)
    collection = sampler.step(1)
    targets = estimate(learner, collection, config, runtime())
    everything = np.arange(len(collection.rollouts))
    assert accumulate_gradient(learner, collection, targets, everything, config, runtime(), UpdateStats())
    for name, parameter in learner.policy.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


SHAPE = Shape(np.array([[4, 5], [6, 6]]), np.array([2, 3]), np.array([1, 1]), np.ones(2))


@pytest.mark.parametrize("distinct", [True, False])
def test_equal_variants_are_equal_completions_where_an_algorithm_asks_for_it(distinct):
    _, sampler = _sampler(arm(prompts_per_step=64), distinct=distinct)
    texts = {}
    for rollout in sampler.step(1).rollouts:
        tokens = rollout.completion.token_ids
        texts.setdefault((rollout.verdict.format, rollout.verdict.outcome, tokens[-1]), set()).add(tokens)
    assert (max(map(len, texts.values())) == 1) == distinct
    words = {tokens[1:2] + tokens[-1:] for of in texts.values() for tokens in of}
    if distinct:
        assert len({word for word, _ in words}) == len({last for _, last in words}) > 1


def test_skill_moves_all_behaviours_by_the_root_of_their_sharpening():
    shape = replace(SHAPE, sharpening=np.array([4.0, 1.0]))
    flat = np.full((3, 2), 0.5)
    policy = TablePolicy(flat, flat, shape, GAINS, 1.0)
    with torch.no_grad():
        policy.skill += 0.3
    np.testing.assert_allclose(policy.skill_logits().detach().numpy(), [[0.6, 0.3]] * 3, atol=1e-6)


def _batch(config):
    """The same rewards and lengths, as rollouts of a table and of a real model."""
    stream = np.random.default_rng(3)
    flat = np.full((8, 2), 0.5)
    table = start_table_learner(flat, flat, SHAPE, config, GAINS)
    real = learner_for(config)
    if real.critic is not None:
        torch.nn.init.zeros_(real.critic.score.weight)
    sampler = TableSampler(config, table.policy, ("b0", "b1"), table_problems(8), 0)
    ours, theirs = [], []
    for problem in range(8):
        for sample in range(config.samples_per_prompt):
            behaviour, right = (int(stream.integers(2)) for _ in range(2))
            words = np.zeros(6, dtype=int), np.full(6, -np.log(WORDS))
            completion = sampler._completion(behaviour, right, 0, words, (np.log(0.5), np.log(0.5)))
            length = len(completion.token_ids)
            ids = (*stream.integers(1, 3, size=length - 1).tolist(), 0)
            verdict = Verdict(f"b{behaviour}", None, "correct" if right else "wrong")
            known = (Problem(str(problem), "", ""), sample)
            prompt = (table.policy.words.first_problem + problem,)
            ours.append(Rollout(*known, prompt, completion, verdict, float(right)))
            text = Completion("", ids, (0.0,) * length, False)
            theirs.append(Rollout(*known, (1, 2), text, verdict, float(right)))
    logprobs = all_logprobs(real.policy, theirs, config.temperature, 2**20, runtime())
    theirs = [
        replace(r, completion=replace(r.completion, logprobs=tuple(p.tolist())))
        for r, p in zip(theirs, logprobs, strict=True)
    ]
    return (table, Collection(ours, config.samples_per_prompt)), (
        real,
        Collection(theirs, config.samples_per_prompt),
    )


@pytest.mark.parametrize("row", SAMPLED, ids=lambda row: row.name)
def test_one_batch_has_the_same_advantages_and_loss_as_with_a_real_model(row):
    config = arm(algorithm=row.name, max_new_tokens=6, samples_per_prompt=4)
    losses, advantages = [], []
    for learner, collection in _batch(config):
        targets = estimate(learner, collection, config, runtime())
        # A real policy writes distinct texts here and a table one text each, so equal ones are kept in both.
        stats, chosen = UpdateStats(), np.arange(len(collection.rollouts))
        accumulate_gradient(learner, collection, targets, chosen, config, runtime(), stats)
        advantages.append(torch.cat(targets.columns["advantages"]).numpy())
        losses.append(stats.sums["loss"])
    np.testing.assert_allclose(advantages[0], advantages[1], atol=1e-5)
    assert np.abs(advantages[0]).max() > 0.1
    if row.policy_gradient:
        assert losses[0] == pytest.approx(losses[1], abs=2e-5)


def test_simulated_tokens_keep_the_discount_of_real_ones():
    config = arm(algorithm="ppo", critic={"lam": 0.9, "gamma": 0.99}, overlong_buffer=30)
    short = in_simulated_tokens(config, 4.0)
    assert short.critic.lam == pytest.approx(0.9**4)
    assert short.critic.gamma == pytest.approx(0.99**4)
    assert short.max_new_tokens == 16
    assert short.overlong_buffer == 8
