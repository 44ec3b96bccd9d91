"""Faults of one line that other tests would not see: each test here fails on the one that its name denies."""

import numpy as np
import pytest
import torch

from echochamber.core.metrics import read_metrics
from echochamber.core.numbers import format_number
from echochamber.core.random import uniforms
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.formulas.advantages import gae
from echochamber.formulas.schedules import adapted_coefficient
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rl import loop, sampling, update
from echochamber.rl.config import RLConfig
from echochamber.rl.log import compare
from echochamber.rl.sampling import step_sampler
from echochamber.rl.stored_steps import RoundStore
from echochamber.rl.targets import estimate
from echochamber.rl.update import accumulate_gradient, fit, token_losses
from echochamber.rl.update_stats import UpdateStats
from echochamber.rollout.batch import batches
from echochamber.rollout.collect import Collection, Rollout, collect, stream_keys
from echochamber.rollout.engines import Engine
from echochamber.rollout.reward_value import Reward
from echochamber.rollout.score import all_logprobs
from echochamber.stats.forecast import kl_optimum
from echochamber.verify.grade import Grader
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

from .enumerated import gradient, learner_for, runtime

WRONG = Verdict("other", None, "wrong")


def _config(algorithm="grpo", **settings):
    return RLConfig(algorithm=algorithm, **{"samples_per_prompt": 2, "max_new_tokens": 6} | settings)


def _rollouts(config, rewards, lengths, group=2):
    """Completions of these lengths with the policy's own log-probabilities."""
    learner = learner_for(config)
    made = [
        Rollout(
            Problem(str(i // group), "", "1"),
            i % group,
            (1, 2),
            Completion("", (*(1 + (i + t) % 2 for t in range(length - 1)), 0), (-0.5,) * length, False),
            WRONG,
            reward,
        )
        for i, (reward, length) in enumerate(zip(rewards, lengths, strict=True))
    ]
    logps = all_logprobs(learner.policy, made, config.temperature, 10**6, runtime())
    return learner, [
        Rollout(
            r.problem,
            r.sample,
            r.prompt_ids,
            Completion("", r.completion.token_ids, tuple(row.tolist()), False),
            WRONG,
            r.reward,
        )
        for r, row in zip(made, logps, strict=True)
    ]


class _Engine(Engine):
    """Writes its own draws' keys, so that what was sampled can be told."""

    def encode(self, questions):
        return [[1] for _ in questions]

    def sample_as_finished(self, prompts, stream_keys):
        for index in range(len(prompts)):
            yield index, [Completion("", (1, 0), (-0.1, -0.1), False) for _ in range(stream_keys.shape[1])]


class _Grader(Grader):
    def __init__(self):
        pass

    def grade_batch(self, items, described):
        return [WRONG for _ in items]


def test_a_coin_does_not_fall_as_the_first_token_was_drawn():
    """The reward's draws come from a stream of their own, not from the one that samples the completion."""
    problems, draws = [Problem(str(i), f"q{i}", "1") for i in range(40)], []
    coin = Reward("coin", lambda problem, completion, verdict, draw: draws.append(draw) or 0.0)
    collect(_Engine(), _Grader(), coin, problems, 5, seed=3, step=2)
    tokens = uniforms(stream_keys(problems, range(5), 3, 2).reshape(-1), 0, 1)[:, 0]
    assert len(set(draws)) == len(draws) == len(tokens)
    assert np.abs(np.array(draws) - tokens).min() > 0
    assert abs(np.corrcoef(draws, tokens)[0, 1]) < 0.3


def test_rollouts_without_advantage_count_in_the_denominator():
    """A group of equal rewards has no gradient of its own, but it is part of the mean."""
    config = _config("dapo")
    learner, rollouts = _rollouts(config, (1.0, 0.0, 1.0, 1.0), (2, 4, 5, 3))
    targets = estimate(learner, Collection(rollouts, 2), config, runtime())
    accumulate_gradient(
        learner, Collection(rollouts, 2), targets, np.arange(4), config, runtime(), UpdateStats()
    )
    found = torch.cat([p.grad.flatten() for p in learner.policy.parameters()])
    (batch,) = batches(rollouts, targets.columns, 10**6)
    losses, _ = token_losses(learner, batch, config, runtime(), UpdateStats())
    expected = gradient(learner.policy, (losses * batch.completion_mask).sum() / (2 + 4 + 5 + 3))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert float(found.norm()) > 1e-4


def test_whitening_takes_mean_and_spread_of_counted_rollouts_alone():
    config = _config("ppo", samples_per_prompt=4)
    learner, rollouts = _rollouts(config, (1.0, 0.0, None, 1.0), (2, 4, 5, 3), group=4)
    targets = estimate(learner, Collection(rollouts, 4), config, runtime())
    counted = torch.cat([a for i, a in enumerate(targets.columns["advantages"]) if i != 2])
    assert float(counted.mean()) == pytest.approx(0, abs=1e-5)
    assert float(counted.std()) == pytest.approx(1, abs=1e-3)
    assert float(targets.columns["advantages"][2].abs().sum()) == 0


def test_minibatches_are_drawn_anew_in_every_pass_and_step(monkeypatch):
    config = _config("grpo", passes=3, minibatch_samples=4)
    learner, rollouts = _rollouts(config, (1.0, 0.0) * 8, (3,) * 16)
    targets = estimate(learner, Collection(rollouts, 2), config, runtime())
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        update,
        "accumulate_gradient",
        lambda learner, c, t, chosen, *rest: seen.append(tuple(chosen)) or False,
    )
    for step in (1, 2):
        fit(learner, Collection(rollouts, 2), targets, config, runtime(), lambda u, n: 1.0, (0, step))
    passes = [tuple(seen[i : i + 4]) for i in range(0, len(seen), 4)]
    assert len(passes) == len(set(passes)) == 6
    for one in passes:
        assert sorted(i for chosen in one for i in chosen) == list(range(16))


def test_a_restart_forgets_the_optimizer_too():
    """The first update after a restart is that of a learner that never took another."""
    config = _config("expert_iteration", restart=True, optimizer={"lr": 1e-2})

    def push(learner, sign):
        for parameter in learner.policy.parameters():
            parameter.grad = torch.full_like(parameter, sign)
        learner.step(1.0)

    used, fresh = learner_for(config), learner_for(config)
    push(used, -1.0)
    push(used, -1.0)
    for learner in (used, fresh):
        learner.restart(config)
        push(learner, 1.0)
    for a, b in zip(used.policy.parameters(), fresh.policy.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)


def test_every_round_of_sampling_draws_other_problems(monkeypatch, tmp_path):
    config = _config("dapo", prompts_per_step=2, sampling_rounds=3)
    problems = [Problem(str(i), f"q{i}", "1") for i in range(12)]
    drawn: list[tuple[list[str], int]] = []

    def spied(engine, grader, reward, chosen, group, seed, draw, described):
        drawn.append(([problem.id for problem in chosen], draw))
        return collect(engine, grader, reward, chosen, group, seed, draw, described)

    monkeypatch.setattr(sampling, "collect", spied)
    sample = step_sampler(
        config, 0, problems, [], _Engine(), _Grader(), runtime().ranks, RoundStore(tmp_path, dict)
    )
    sample(1)
    sample(2)
    assert len(drawn) == 6, "no group has signal, so every round is used"
    assert sorted(i for ids, _ in drawn for i in ids) == sorted(p.id for p in problems)
    assert len({draw for _, draw in drawn}) == 6


def test_the_logged_kl_is_of_the_policy_from_the_base():
    config = _config("grpo")
    learner, rollouts = _rollouts(config, (1.0, 0.0), (3, 5))
    found = compare(learner, rollouts, config, runtime())["policy/kl"]
    policy, reference = (
        torch.cat(all_logprobs(model, rollouts, 1.0, 10**6, runtime()))
        for model in (learner.policy, learner.reference)
    )
    assert found == pytest.approx(
        float(((reference - policy).exp() - 1 - (reference - policy)).mean()), rel=1e-4
    )
    assert found != pytest.approx(
        float(((policy - reference).exp() - 1 - (policy - reference)).mean()), rel=1e-2
    )


def test_an_adapted_coefficient_goes_on_from_the_last_one(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    problems = [
        Problem(str(i), f"{i} boxes of 3 pens?", format_number(3 * i), "all", "train") for i in range(4)
    ]
    config = RLConfig(
        reward="random", steps=4, prompts_per_step=2, samples_per_prompt=2, max_new_tokens=5,
        kl={"coef": 0.1, "target": 1e-4}, checkpoints={"count": 1},
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    quiet = start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))
    loop.rl(config, 0, tmp_path / "base", problems, tmp_path / "run", quiet)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    coefs, kls = ([row[f"policy/{name}"] for row in rows] for name in ("kl_coef", "kl"))
    expected = [0.1]
    for kl in kls[:-1]:
        expected.append(adapted_coefficient(expected[-1], kl, 1e-4, 0.1))
    assert coefs == pytest.approx(expected)
    assert len(set(coefs)) == 4


def test_the_critic_follows_the_schedule():
    learner = learner_for(_config("ppo", samples_per_prompt=1))
    assert learner.critic is not None
    before = [p.clone() for p in learner.critic.parameters()]
    for parameter in learner.critic.parameters():
        parameter.grad = torch.ones_like(parameter)
    learner.step(0.0)
    for now, then in zip(learner.critic.parameters(), before, strict=True):
        assert torch.equal(now, then)


def test_the_logged_kl_from_the_sampler_is_of_the_sampler_from_the_policy():
    """Samples are the sampler's, so its KL is the mean of r - 1 - log r with r = policy / sampler."""
    config = _config("grpo")
    learner, rollouts = _rollouts(config, (1.0, 0.0), (3, 4))
    targets = estimate(learner, Collection(rollouts, 2), config, runtime())
    targets.columns["old_logprobs"] = [row - 0.7 for row in targets.columns["old_logprobs"]]
    (batch,) = batches(rollouts, targets.columns, 10**6)
    stats = UpdateStats()
    token_losses(learner, batch, config, runtime(), stats)
    assert stats.sums["kl_sampler"] / 7 == pytest.approx(np.exp(0.7) - 1 - 0.7, rel=1e-4)


def test_gae_does_not_read_the_values_of_padding():
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    rewards = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    values = torch.tensor([[0.3, 0.4, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]])
    found = gae(rewards, torch.where(mask, values, 99.0), mask, 1.0, 0.95)
    torch.testing.assert_close(found, gae(rewards, values, mask, 1.0, 0.95), atol=0, rtol=0)
    assert float(found[0, 1]) == pytest.approx(0.6)


def test_the_optimum_over_several_problems_is_the_mean_of_their_own_optima():
    shares, accuracies = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.1, 0.9], [0.5, 0.4]])
    for weight in (0.02, 0.3, 2.0):
        each = [kl_optimum(shares[[i]], accuracies[[i]], weight) for i in range(2)]
        tilt = np.array([
            s * (1 - p + p * np.exp(1 / weight)) for s, p in zip(shares, accuracies, strict=True)
        ])  # fmt: skip
        assert np.array(each) == pytest.approx(tilt / tilt.sum(1, keepdims=True))
        assert kl_optimum(shares, accuracies, weight) == pytest.approx(np.mean(each, axis=0))
