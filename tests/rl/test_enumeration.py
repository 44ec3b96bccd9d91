"""Each algorithm's expected gradient over *all* completions equals the exact one, or its documented bias."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from echochamber.rl.algorithms import algorithm_row
from echochamber.rl.config import RLConfig
from echochamber.rl.targets import group_advantages
from echochamber.stats.forecast import Objective, effective_kl_weight

from .enumerated import (
    LIMIT,
    REWARDS,
    SEQUENCES,
    expected_gradient,
    gradient,
    kl_gradient,
    learner_for,
    reward_gradient,
    sequence_logps,
    visited_kl_gradient,
)

GROUP = 2


def _config(algorithm, **settings):
    return RLConfig(algorithm=algorithm, samples_per_prompt=GROUP, max_new_tokens=LIMIT, **settings)


def _close(found, expected):
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-4)


def test_the_completions_are_all_there_are():
    assert float(sequence_logps(learner_for(_config("grpo")).policy).detach().exp().sum()) == pytest.approx(
        1, abs=1e-6
    )


@pytest.mark.parametrize(
    ("algorithm", "factor", "settings"),
    [
        ("rloo", 1.0, {}),
        ("reinforce", (GROUP - 1) / GROUP, {}),
        ("dr_grpo", (GROUP - 1) / GROUP / LIMIT, {}),
        ("ppo", 1.0, {"critic": {"lam": 1.0}, "loss": {"average": "sum", "whiten": False}}),
        ("ppo", 1 / LIMIT, {"critic": {"lam": 1.0}, "loss": {"average": "constant", "whiten": False}}),
        (
            "ppo",
            1.0,
            {
                "critic": {"lam": 1.0},
                "loss": {"average": "sum", "whiten": False, "old_logprobs": "recomputed"},
            },
        ),
    ],
)
def test_unbiased_rows_push_along_the_exact_policy_gradient(algorithm, factor, settings):
    learner, found = expected_gradient(_config(algorithm, **settings), REWARDS)
    _close(found, -factor * reward_gradient(learner.policy, REWARDS))


def _by_hand(advantage, per_sequence):
    """-E[mean over a group of advantage x log-probability], each weighed by `per_sequence`."""
    policy = learner_for(_config("grpo")).policy
    logps = sequence_logps(policy)
    p, total = logps.detach().exp(), torch.zeros(())
    rewards = [REWARDS.get(s, 0.0) for s in SEQUENCES]
    for i, first in enumerate(rewards):
        for j, second in enumerate(rewards):
            a, b = advantage(first, second)
            tokens = len(SEQUENCES[i]) + len(SEQUENCES[j])
            total = total - p[i] * p[j] * (
                a * logps[i] * per_sequence(i, tokens) + b * logps[j] * per_sequence(j, tokens)
            )
    return gradient(policy, total)


def _normalised(first, second):
    if first == second:
        return 0.0, 0.0
    sign = 1.0 if first > second else -1.0
    return sign * 2**-0.5, -sign * 2**-0.5


def test_grpo_has_the_two_biases_that_dr_grpo_names():
    """Division by the group's spread, and by each completion's length."""
    _, found = expected_gradient(_config("grpo"), REWARDS)
    expected = _by_hand(_normalised, lambda i, tokens: 1 / GROUP / len(SEQUENCES[i]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)
    _, gspo = expected_gradient(_config("gspo"), REWARDS)
    torch.testing.assert_close(gspo, expected, atol=1e-5, rtol=1e-3)


def test_token_mean_over_the_batch_weighs_long_completions_by_their_length():
    _, found = expected_gradient(_config("dapo"), REWARDS)
    torch.testing.assert_close(
        found, _by_hand(_normalised, lambda i, tokens: 1 / tokens), atol=1e-5, rtol=1e-3
    )


@pytest.mark.parametrize("algorithm", ["grpo", "dr_grpo", "dapo", "gspo", "rloo", "reinforce"])
@pytest.mark.parametrize("kl", [{}, {"coef": 0.3, "estimator": "k1", "place": "reward"}])
def test_a_completion_of_unknown_reward_counts_nowhere(algorithm, kl):
    """A group of three with one unknown gives in expectation what a group of two does."""
    _, found = expected_gradient(_config(algorithm, kl=kl), REWARDS, group=3, unknown=1)
    _, pair = expected_gradient(_config(algorithm, kl=kl), REWARDS)
    _close(found, pair)
    assert float(found.norm()) > 1e-3


def test_rloo_stays_unbiased_where_a_reward_is_unknown():
    learner, found = expected_gradient(_config("rloo"), REWARDS, group=3, unknown=1)
    _close(found, -reward_gradient(learner.policy, REWARDS))


def test_the_advantages_of_one_zero_zero_and_an_unknown():
    rewards = np.array([1.0, 0.0, 0.0, np.nan])
    known = {"grpo": (2 / 3, -1 / 3, -1 / 3), "rloo": (1.0, -0.5, -0.5), "reinforce": (2 / 3, -1 / 3, -1 / 3)}
    for name, expected in known.items():
        row = algorithm_row(name)
        scale = 3**-0.5 if name == "grpo" else 1.0
        found = group_advantages(row, row.advantages, rewards, 4)
        assert found == pytest.approx([*(e / scale for e in expected), 0.0], abs=1e-5)


def test_a_lone_known_reward_is_compared_with_nothing_but_still_fitted_by_its_likelihood():
    rewards = np.array([np.nan, 1.0])
    for name, expected in {"rloo": 0.0, "grpo": 0.0, "expert_iteration": 1.0, "best_of_n": 1.0}.items():
        row = algorithm_row(name)
        assert group_advantages(row, row.advantages, rewards, 2).tolist() == [0.0, expected]


def test_keeping_paid_completions_is_the_policy_gradient_of_the_reward_without_baseline():
    config = RLConfig(
        algorithm="expert_iteration", samples_per_prompt=1, max_new_tokens=LIMIT, loss={"average": "sum"}
    )
    learner, found = expected_gradient(config, REWARDS, group=1)
    _close(found, -reward_gradient(learner.policy, REWARDS))


@pytest.mark.parametrize("algorithm", ["rloo", "ppo"])
@pytest.mark.parametrize(("estimator", "place"), [("k1", "reward"), ("exact", "both")])
def test_exact_kl_combinations_have_the_exact_gradient(algorithm, estimator, place):
    settings = {"critic": {"lam": 1.0}, "loss": {"average": "sum", "whiten": False}}
    learner, found = expected_gradient(
        _config(algorithm, kl={"coef": 1.0, "estimator": estimator, "place": place}, **settings), {}
    )
    _close(found, kl_gradient(learner.policy, learner.reference))


@pytest.mark.parametrize("estimator", ["k2", "exact"])
def test_kl_in_the_loss_is_that_of_the_states_visited(estimator):
    learner, found = expected_gradient(
        _config("rloo", kl={"coef": 1.0, "estimator": estimator, "place": "loss"}), {}
    )
    _close(found, visited_kl_gradient(learner.policy, learner.reference))


def test_k3_in_the_loss_pulls_along_the_other_direction():
    learner, found = expected_gradient(
        _config("rloo", kl={"coef": 1.0, "estimator": "k3", "place": "loss", "allow_biased": True}), {}
    )
    _close(found, visited_kl_gradient(learner.policy, learner.reference, forward=True))


def test_k1_in_the_loss_is_no_penalty():
    _, found = expected_gradient(
        _config("rloo", kl={"coef": 1.0, "estimator": "k1", "place": "loss", "allow_biased": True}), {}
    )
    assert found.abs().max() < 2e-6


@pytest.mark.parametrize("estimator", ["k2", "k3", "exact"])
def test_other_estimators_in_the_reward_have_neither_gradient(estimator):
    learner, found = expected_gradient(
        _config("rloo", kl={"coef": 1.0, "estimator": estimator, "place": "reward", "allow_biased": True}), {}
    )
    for exact in (
        kl_gradient(learner.policy, learner.reference),
        visited_kl_gradient(learner.policy, learner.reference),
        visited_kl_gradient(learner.policy, learner.reference, forward=True),
    ):
        assert (found - exact).norm() > 0.1 * exact.norm()


@pytest.mark.parametrize(("algorithm", "scale"), [("reinforce", 1.0), ("dr_grpo", 1 / LIMIT), ("rloo", 1.0)])
@pytest.mark.parametrize("estimator", ["k2", "exact"])
def test_the_weight_of_a_kl_in_the_loss_is_what_the_report_states(algorithm, scale, estimator):
    """A group mean that holds the sample leaves (G - 1) / G of the reward's gradient and all of the KL's."""
    kl = {"coef": 0.3, "estimator": estimator, "place": "loss"}
    learner, found = expected_gradient(_config(algorithm, kl=kl), REWARDS)
    row = algorithm_row(algorithm)
    objective = Objective(own_baseline=row.own_baseline, samples_per_prompt=GROUP)
    weight, _ = effective_kl_weight(0.3, "loss", estimator, objective)
    assert weight == pytest.approx(0.3 if algorithm == "rloo" else 0.6)
    factor = scale * 0.3 / weight
    penalty = visited_kl_gradient(learner.policy, learner.reference)
    _close(found, factor * (weight * penalty - reward_gradient(learner.policy, REWARDS)))


@pytest.mark.parametrize("algorithm", ["reinforce", "dr_grpo", "ppo"])
def test_exact_kl_in_both_places_is_biased_where_it_is_refused(algorithm):
    kl = {"coef": 1.0, "estimator": "exact", "place": "both", "allow_biased": True}
    settings = {"critic": {"lam": 1.0}, "loss": {"average": "sum"}}
    learner, found = expected_gradient(_config(algorithm, kl=kl, **settings), {})
    exact = kl_gradient(learner.policy, learner.reference)
    along = float(found @ exact / exact.norm() ** 2)
    assert float((found - along * exact).norm()) > 0.02 * float(found.norm())


def test_the_kl_of_the_whole_completion_has_the_gradient_of_later_tokens_kl():
    """`paper-reinforce` sums the KL over the completion; its authors start at the token. Both unwhitened."""
    kl = {"coef": 0.3, "estimator": "k1", "place": "reward"}
    loss = {"average": "sum", "whiten": False}
    learner, whole = expected_gradient(_config("reinforce", kl=kl, loss=loss), REWARDS)
    factor = (GROUP - 1) / GROUP
    later = -reward_gradient(learner.policy, REWARDS) + 0.3 * kl_gradient(learner.policy, learner.reference)
    _close(whole, factor * later)


def test_reward_and_kl_add_up():
    learner, found = expected_gradient(
        _config("rloo", kl={"coef": 0.3, "estimator": "k1", "place": "reward"}), REWARDS
    )
    _close(
        found,
        -reward_gradient(learner.policy, REWARDS) + 0.3 * kl_gradient(learner.policy, learner.reference),
    )


@pytest.mark.parametrize(
    ("algorithm", "settings", "said"),
    [
        ("grpo", {"kl": {"coef": 0.1, "estimator": "k3", "place": "loss"}}, "allow_biased"),
        ("grpo", {"kl": {"coef": 0.1, "estimator": "k1", "place": "loss"}}, "zero"),
        ("ppo", {"kl": {"coef": 0.1, "estimator": "k2", "place": "reward"}}, "neither direction"),
        ("ppo", {"kl": {"coef": 0.1, "estimator": "exact", "place": "reward"}}, "later tokens"),
        ("ppo", {"kl": {"coef": 0.1, "estimator": "k1", "place": "both"}}, "twice"),
        ("ppo", {"kl": {"coef": 0.1, "estimator": "exact", "place": "both"}}, "whitening scales"),
        ("reinforce", {"kl": {"coef": 0.1, "estimator": "exact", "place": "both"}}, "all of it"),
        ("dr_grpo", {"kl": {"coef": 0.1, "estimator": "exact", "place": "both"}}, "all of it"),
        (
            "expert_iteration",
            {"kl": {"coef": 0.1, "estimator": "k1", "place": "reward"}},
            "no policy gradient",
        ),
        ("grpo", {"kl": {"target": 0.1}}, "start from"),
        ("grpo", {"top_p": 0.9}, "sampler's probabilities"),
        ("ppo", {"top_p": 0.9}, "sampler's probabilities"),
        ("ppo", {"restart": True}, "restart"),
        ("ppo", {"sampling_rounds": 2}, "every completion"),
        ("sft", {}, "completions"),
        ("grpo", {"completions": "some.jsonl"}, "completions"),
        ("grpo", {"overlong_buffer": 2}, "max_new_tokens"),
        ("gpro", {}, "rloo"),
        ("grpo", {"reward": "format:omi3"}, "not registered"),
        ("grpo", {"reward": "corect"}, "not known"),
    ],
)
def test_settings_that_would_be_wrong_are_refused_with_the_reason(algorithm, settings, said):
    with pytest.raises(ValidationError, match=said):
        _config(algorithm, **settings)


def test_one_sample_has_no_group():
    with pytest.raises(ValidationError, match="at least 2"):
        RLConfig(algorithm="rloo", samples_per_prompt=1)
