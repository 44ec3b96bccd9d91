"""Forecasts against their definitions, slowly computed."""

from typing import get_args

import numpy as np
import pytest

from echochamber.stats.forecast import (
    Advantage,
    Objective,
    _advantages,
    bandit,
    bandits,
    bandits_by_rate,
    brier,
    effective_kl_weight,
    kl_optimum,
    kl_optimum_by_problem,
    naive_forecasts,
    replicator,
    total_variation,
)

A, P = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.9, 0.1])


@pytest.mark.parametrize("weight", [0.3, 1.0, 4.0])
def test_optimum_maximises_reward_minus_kl(weight: float) -> None:
    """Outcomes are (format, right or wrong); a fine search over tilts finds nothing better."""
    base = np.concatenate([A * P, A * (1 - P)])
    reward = np.concatenate([np.ones(3), np.zeros(3)])

    def objective(policy: np.ndarray) -> float:
        return float(policy @ reward - weight * (policy * np.log(policy / base)).sum())

    best = base * np.exp(reward / weight)
    best /= best.sum()
    assert kl_optimum([A], [P], weight) == pytest.approx(best[:3] + best[3:])
    stream = np.random.default_rng(0)
    for _ in range(200):
        other = best * np.exp(0.1 * stream.standard_normal(6))
        assert objective(other / other.sum()) <= objective(best) + 1e-12


def test_optimum_at_the_limits_does_not_overflow() -> None:
    assert kl_optimum([A], [P], 1e-4) == pytest.approx(A * P / (A * P).sum())
    assert kl_optimum([A], [P], 1e6) == pytest.approx(A, abs=1e-5)
    assert kl_optimum([A], [np.zeros(3)], 1e-4) == pytest.approx(A)
    assert kl_optimum([[1.0, 0.0]], [[0.5, np.nan]], 0.1).tolist() == [1.0, 0.0]
    with pytest.raises(AssertionError, match="no optimum"):
        kl_optimum([A], [P], 0.0)


def test_replicator_solves_its_equation() -> None:
    shares, step = A.copy(), 1e-3
    for _ in range(3000):
        shares = shares + step * shares * (P - shares @ P)
    assert replicator(A, P, 3.0) == pytest.approx(shares, abs=2e-4)
    assert replicator(A, P, 500.0) == pytest.approx([0, 1, 0])


def test_bandit_collapses_onto_the_most_accurate_and_drifts_between_equals() -> None:
    path = bandit(A, P, steps=300, prompts_per_step=16, samples_per_prompt=8, rate=1.0, seed=0)
    assert path.shape == (301, 3)
    assert path.sum(1) == pytest.approx(np.ones(301))
    assert path[-1, 1] > 0.95
    ends = [bandit([0.5, 0.5], [0.5, 0.5], 200, 2, 4, 2.0, seed)[-1, 0] for seed in range(20)]
    assert min(ends) < 0.2
    assert max(ends) > 0.8
    assert np.mean(ends) == pytest.approx(0.5, abs=0.25)


@pytest.mark.medium
def test_many_bandits_at_once_are_independent_runs_of_one() -> None:
    many = bandits(np.tile(A, (200, 1)), np.tile(P, (200, 1)), 40, 8, 8, 1.0, seed=0)[-1]
    each = np.array([bandit(A, P, 40, 8, 8, 1.0, seed)[-1] for seed in range(200)])
    assert many.mean(0) == pytest.approx(each.mean(0), abs=0.03)
    assert many.std(0) == pytest.approx(each.std(0), rel=0.25)
    assert bandits(np.array([A]), np.array([P]), 5, 8, 8, 1.0, seed=3)[:, 0] == pytest.approx(
        bandit(A, P, 5, 8, 8, 1.0, seed=3)
    )


def test_bandit_never_revives_what_the_base_never_wrote() -> None:
    path = bandit([0.5, 0.5, 0.0], [0.2, 0.4, 1.0], 50, 8, 8, 1.0, seed=1)
    assert path[:, 2].tolist() == [0.0] * 51


def test_scores() -> None:
    assert brier([1, 0], [0, 1]) == 2.0
    assert total_variation([0.5, 0.5], [0.2, 0.8]) == pytest.approx(0.3)
    naive = naive_forecasts([0.5, 0.3, 0.2], [0.4, 0.9, np.nan], constant=2)
    assert {name: int(f.argmax()) for name, f in naive.items()} == {
        "most frequent": 0,
        "most accurate": 1,
        "constant": 2,
    }


def test_effective_weight_is_derived_or_refused() -> None:
    assert effective_kl_weight(0.01, "reward", "k1", Objective())[0] == 0.01
    assert effective_kl_weight(0.01, "reward", "k1", Objective(whiten=True))[0] == 0.01
    for arguments in (
        (0.0, "reward", "k1", Objective()),
        (0.01, "loss", "k3", Objective()),
        (0.01, "reward", "k1", Objective(divides_by="std")),
        (0.01, "reward", "k1", Objective(divides_by="mean")),
        (0.01, "loss", "k2", Objective(whiten=True)),
        (0.01, "reward", "k1", Objective(whiten=True, prompts_per_step=16)),
        (0.01, "both", "exact", Objective(own_baseline=True)),
        (0.01, "loss", "k2", Objective(policy_gradient=False)),
        (0.01, "reward", "k1", Objective(loss_terms=1)),
        (0.0, "reward", "k1", Objective(loss_terms=1)),
    ):
        weight, reason = effective_kl_weight(*arguments)  # type: ignore[arg-type]
        assert weight is None
        assert reason


def _implied_weight(completions: int, coef: float, repeats: int = 2000) -> float:
    """The weight on KL in the expected whitened update of a policy over three outcomes, k1 in the reward.

    The update is a combination of the gradients of reward and KL; they span what logits can do.
    """
    policy, ref, right = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2]), np.array([0.9, 0.6, 0.8])
    stream = np.random.default_rng(0)
    arms = stream.choice(3, p=policy, size=(repeats, completions))
    rewards = (stream.random(arms.shape) < right[arms]) - coef * np.log(policy / ref)[arms]
    centred = rewards - rewards.mean(1, keepdims=True)
    advantages = centred / (rewards.std(1, keepdims=True) + 1e-6)
    score = np.eye(3) - policy
    update = (advantages[..., None] * score[arms]).mean((0, 1))
    reward = (policy * right) @ score
    penalty = (policy * np.log(policy / ref)) @ score
    (along_reward, along_penalty), *_ = np.linalg.lstsq(np.stack([reward, -penalty], 1), update, rcond=None)
    return float(along_penalty / along_reward)


def test_whitening_scales_up_the_kl_of_steps_whose_rewards_agree() -> None:
    """Three completions: far more than the coefficient, so no weight is stated. 256: the coefficient."""
    assert _implied_weight(3, 0.01, 200_000) > 10 * 0.01
    assert effective_kl_weight(0.01, "reward", "k1", Objective(whiten=True, prompts_per_step=1))[0] is None
    assert _implied_weight(256, 0.3, 20_000) == pytest.approx(0.3, rel=0.1)
    assert effective_kl_weight(0.3, "reward", "k1", Objective(whiten=True))[0] == 0.3


def test_forecasts_of_many_resamples_are_those_of_each() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    accuracies = np.random.default_rng(1).random((5, 3))
    accuracies[2, 1] = np.nan
    flows = replicator(shares, accuracies, 30.0)
    naive = naive_forecasts(shares, accuracies, constant=1)
    errors = brier(flows, shares), total_variation(flows, shares)
    for i in range(5):
        assert flows[i].tolist() == replicator(shares[i], accuracies[i], 30.0).tolist()
        each = naive_forecasts(shares[i], accuracies[i], constant=1)
        assert {name: rows[i].tolist() for name, rows in naive.items()} == {
            name: row.tolist() for name, row in each.items()
        }
        alone = brier(flows[i], shares[i]), total_variation(flows[i], shares[i])
        assert [row[i] for row in errors] == list(alone)
    optimum = kl_optimum_by_problem(shares, accuracies, 0.3)
    assert optimum.mean(axis=0).tolist() == kl_optimum(shares, accuracies, 0.3).tolist()
    assert optimum[3] == pytest.approx(kl_optimum(shares[[3]], accuracies[[3]], 0.3))


def test_the_bandit_compares_rewards_as_the_algorithm_does() -> None:
    rewards = np.array([[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])
    found = {name: _advantages(rewards, name) for name in get_args(Advantage)}
    assert found["group_mean"][0, 0] == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert found["group_std"][0, 0] == pytest.approx(np.array([2, -1, -1]) / 2**0.5, abs=1e-4)
    assert found["group_ratio"][0, 0] == pytest.approx([2.0, -1.0, -1.0])
    assert found["leave_one_out"][0, 0] == pytest.approx([1.0, -0.5, -0.5])
    assert all(not found[name][0, 1].any() for name in found if name.startswith(("group", "leave")))
    assert found["step_mean"][0, 1] == pytest.approx(1 / 3)
    assert found["step_std"].std() == pytest.approx(1.0, abs=1e-4)
    assert found["kept"].sum() == rewards.size
    objectives = {
        "step_std": Objective(whiten=True, critic=True),
        "step_mean": Objective(critic=True),
        "group_std": Objective(divides_by="std"),
        "group_ratio": Objective(divides_by="mean"),
        "group_mean": Objective(own_baseline=True),
        "leave_one_out": Objective(),
        "kept": Objective(policy_gradient=False),
    }
    assert {name: one.advantage for name, one in objectives.items()} == {name: name for name in objectives}


def test_k3_as_a_loss_has_the_gradient_of_the_forward_kl() -> None:
    """Exact enumeration on three outcomes: E_policy[grad k3] = grad KL(ref || policy)."""
    logits, ref = np.array([0.2, -0.4, 0.9]), A
    policy = np.exp(logits) / np.exp(logits).sum()
    score = np.eye(3) - policy
    reverse = policy * (np.log(policy / ref) - policy @ np.log(policy / ref))
    assert (policy * np.log(policy / ref)) @ score == pytest.approx(reverse), "k2: the reverse KL"
    k3 = (policy * (1 - ref / policy)) @ score
    assert k3 == pytest.approx(policy - ref)


@pytest.mark.parametrize("advantage", ["group_std", "leave_one_out", "step_std", "kept"])
def test_bandits_of_many_rates_and_seeds_are_the_single_ones(advantage):
    """Bit for bit: published null models were drawn one by one."""
    shares, accuracies, rates, seeds = [0.5, 0.3, 0.2, 0.0], [0.7, 0.8, 0.1, np.nan], (0.5, 4.0), (0, 3)
    together = bandits_by_rate(shares, accuracies, 9, 6, 4, rates, seeds, advantage)
    alone = [[bandit(shares, accuracies, 9, 6, 4, r, s, advantage) for s in seeds] for r in rates]
    assert np.array_equal(together, np.array(alone))
