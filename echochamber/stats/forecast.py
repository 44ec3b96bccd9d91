"""Which format wins, forecast from the base model alone, and how forecasts are scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ..core.random import generator


def kl_optimum(shares: ArrayLike, accuracies: ArrayLike, kl_weight: float) -> np.ndarray:
    """Format shares of the policy that maximises E[reward] - c KL(policy || base).

    share_i proportional to a_i (1 - p_i + p_i exp(1/c)) for 0/1 reward, in log space, per problem
    and then averaged. Shapes: shares a and accuracies p (P, F) -> (F,); rows of `shares` add up to
    1. An accuracy that is NaN counts for nothing where the share is 0. c > 0; as c falls to 0 this
    is a_i p_i, the format's share among correct base completions. A problem that no format ever
    solves keeps its base shares.
    """
    return np.asarray(kl_optimum_by_problem(shares, accuracies, kl_weight).mean(axis=0))


def kl_optimum_by_problem(shares: ArrayLike, accuracies: ArrayLike, kl_weight: float) -> np.ndarray:
    """`kl_optimum` before the mean over problems: (P, F), (P, F) -> (P, F)."""
    assert kl_weight > 0, f"kl_weight is {kl_weight}; without a KL term no optimum is defined"
    a = np.asarray(shares, dtype=float)
    p = np.nan_to_num(np.asarray(accuracies, dtype=float))
    with np.errstate(divide="ignore"):
        log_weight = np.log(a) + np.logaddexp(np.log1p(-p), np.log(p) + 1 / kl_weight)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def replicator(shares: ArrayLike, accuracies: ArrayLike, time: float) -> np.ndarray:
    """Shares after `time` of the replicator flow da_i/dt = a_i (p_i - mean p).

    With constant accuracies the flow has a closed form, a_i exp(p_i t) / sum. Shapes: (..., F) -> (..., F).
    Natural policy gradient on the choice of format alone (Kakade 2001).
    """
    a, p = np.asarray(shares, dtype=float), np.nan_to_num(np.asarray(accuracies, dtype=float))
    weight = a * np.exp((p - p.max(axis=-1, keepdims=True)) * time)
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


Advantage = Literal[
    "group_std", "group_ratio", "group_mean", "leave_one_out", "step_std", "step_mean", "kept"
]
"""How an algorithm compares 0/1 rewards.

With its group, divided by the group's standard deviation or mean, or not divided; with the group's others;
with the whole step, divided by its standard deviation (as a critic's whitened advantages are) or not; `kept`:
not at all.
"""


def bandit(
    shares: ArrayLike,
    accuracies: ArrayLike,
    steps: int,
    prompts_per_step: int,
    samples_per_prompt: int,
    rate: float,
    seed: int,
    advantage: Advantage = "group_std",
) -> np.ndarray:
    """Shares of a softmax over formats alone, trained by policy gradient: (steps + 1, F).

    Each step draws P groups of G formats, rewards 1 with the base accuracy of the format, and moves the
    logits by `rate` times the mean of advantage x grad log-probability. It knows the base's shares and
    accuracies and how the algorithm compares rewards: the null model of every collapse.
    """
    a, p = np.atleast_2d(np.asarray(shares, dtype=float)), np.atleast_2d(np.asarray(accuracies, dtype=float))
    return bandits(a, p, steps, prompts_per_step, samples_per_prompt, rate, seed, advantage)[:, 0]


def bandits(
    shares: np.ndarray,
    accuracies: np.ndarray,
    steps: int,
    prompts_per_step: int,
    samples_per_prompt: int,
    rate: float,
    seed: int,
    advantage: Advantage = "group_std",
) -> np.ndarray:
    """R independent `bandit` runs at once, each from its own shares and accuracies.

    Shapes: (R, F), (R, F) -> (steps + 1, R, F).
    """
    stream, size = generator("bandit", seed), (len(shares), prompts_per_step, samples_per_prompt)
    return _paths(shares, accuracies, steps, lambda: stream.random(size), np.array([rate]), advantage)


def bandits_by_rate(
    shares: ArrayLike,
    accuracies: ArrayLike,
    steps: int,
    prompts_per_step: int,
    samples_per_prompt: int,
    rates: Sequence[float],
    seeds: Sequence[int],
    advantage: Advantage = "group_std",
) -> np.ndarray:
    """`bandit` at every rate and seed, as numbers of one calculation: (rates, seeds, steps + 1, F).

    The draws of a seed are the same at every rate, as in `bandit`, and are made once.
    """
    streams, size = [generator("bandit", seed) for seed in seeds], (prompts_per_step, samples_per_prompt)
    rows, rate = len(rates) * len(seeds), np.repeat(np.asarray(rates, dtype=float), len(seeds))
    a, p = (np.tile(np.asarray(values, dtype=float), (rows, 1)) for values in (shares, accuracies))

    def draw() -> np.ndarray:
        return np.tile(np.array([stream.random(size) for stream in streams]), (len(rates), 1, 1))

    path = _paths(a, p, steps, draw, rate[:, None], advantage)
    return path.transpose(1, 0, 2).reshape(len(rates), len(seeds), steps + 1, -1)


def _paths(
    shares: np.ndarray,
    accuracies: np.ndarray,
    steps: int,
    draw: Callable[[], np.ndarray],
    rate: np.ndarray,
    advantage: Advantage,
) -> np.ndarray:
    """Shares after each step: (steps + 1, R, F). `draw`: uniform numbers (R, P, G); `rate`: (1,), (R, 1)."""
    a, p = np.asarray(shares, dtype=float), np.nan_to_num(np.asarray(accuracies, dtype=float))
    present = a > 0
    logits = np.where(present, np.log(np.where(present, a, 1.0)), -np.inf)
    policy = a / a.sum(axis=1, keepdims=True)
    path = [policy]
    for _ in range(steps):
        policy = _softmax(logits)
        edges = np.cumsum(policy, axis=1)[:, :-1, None, None]
        arms = (draw()[:, None] >= edges).sum(axis=1)
        chance = np.take_along_axis(p, arms.reshape(len(a), -1), axis=1).reshape(arms.shape)
        rewards = (draw() < chance).astype(float)
        advantages = _advantages(rewards, advantage)
        push = np.stack([(advantages * (arms == arm)).mean(axis=(1, 2)) for arm in range(a.shape[1])], axis=1)
        logits = logits + rate * np.where(present, push - policy * push.sum(axis=1, keepdims=True), 0.0)
        path.append(_softmax(logits))
    return np.array(path)


def _advantages(rewards: np.ndarray, advantage: Advantage) -> np.ndarray:
    """Advantages (R, P, G) of 0/1 rewards (R, P, G)."""
    if advantage == "kept":
        return np.asarray(rewards / np.maximum(rewards.mean(axis=(1, 2), keepdims=True), 1 / rewards[0].size))
    axes = (1, 2) if advantage in ("step_std", "step_mean") else (2,)
    mean = rewards.mean(axis=axes, keepdims=True)
    centred: np.ndarray = rewards - mean
    if advantage in ("group_std", "step_std"):
        return np.asarray(centred / (rewards.std(axis=axes, keepdims=True) + 1e-6))
    if advantage == "group_ratio":
        return np.asarray(centred / np.where(mean > 0, mean, 1.0))
    group = rewards.shape[2]
    return np.asarray(centred * (group / (group - 1) if advantage == "leave_one_out" else 1.0))


def _softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def naive_forecasts(shares: ArrayLike, accuracies: ArrayLike, constant: int) -> dict[str, np.ndarray]:
    """The three forecasts that need no theory, all mass on one format: (..., F) -> (..., F) each."""
    a, p = np.asarray(shares, dtype=float), np.asarray(accuracies, dtype=float)
    measured = np.where((a > 0) & np.isfinite(p), p, -1.0)
    same = np.full(a.shape[:-1], constant)
    picks = {"most frequent": a.argmax(axis=-1), "most accurate": measured.argmax(axis=-1), "constant": same}
    return {name: np.eye(a.shape[-1])[pick] for name, pick in picks.items()}


def brier(forecast: ArrayLike, outcome: ArrayLike) -> np.ndarray:
    """Squared distance of forecast and final shares, summed over formats, in [0, 2] (Brier 1950).

    Shapes: (..., F), (..., F) -> (...).
    """
    difference = np.asarray(forecast, dtype=float) - np.asarray(outcome, dtype=float)
    return np.asarray((difference**2).sum(axis=-1))


def total_variation(forecast: ArrayLike, outcome: ArrayLike) -> np.ndarray:
    """Half the summed absolute difference, in [0, 1]. Shapes: (..., F), (..., F) -> (...)."""
    difference = np.asarray(forecast, dtype=float) - np.asarray(outcome, dtype=float)
    return np.asarray(np.abs(difference).sum(axis=-1) / 2)


@dataclass(frozen=True)
class Objective:
    """What of an algorithm decides whether reward and KL are weighed by one number."""

    policy_gradient: bool = True
    """False: the algorithm fits chosen completions by their likelihood."""
    divides_by: Literal["none", "std", "mean"] = "none"
    """The number of each group by which its centred rewards are divided."""
    whiten: bool = False
    """Whether advantages are divided by their standard deviation over the step."""
    loss_terms: int = 0
    """Number of terms of the loss besides reward and KL."""
    critic: bool = False
    """Whether rewards are compared with a critic's values, not within a group."""
    own_baseline: bool = False
    """Whether each sample is part of the group mean that it is compared with."""
    prompts_per_step: int = 32
    samples_per_prompt: int = 8

    @property
    def advantage(self) -> Advantage:
        """How it compares 0/1 rewards, for the bandit."""
        if not self.policy_gradient:
            return "kept"
        if self.whiten:
            return "step_std"
        if self.critic:
            return "step_mean"
        if self.divides_by != "none":
            return "group_std" if self.divides_by == "std" else "group_ratio"
        return "group_mean" if self.own_baseline else "leave_one_out"


LARGE_STEP = 256
"""Completions from which a step's rewards nearly always differ, so that its spread is the population's."""


def effective_kl_weight(
    coef: float,
    place: Literal["reward", "loss", "both"],
    estimator: Literal["k1", "k2", "k3", "exact"],
    objective: Objective,
) -> tuple[float | None, str]:
    """The c of `kl_optimum` that an algorithm really optimises, or None, with the reason."""
    if objective.loss_terms:
        return None, "the loss has further terms, so reward and KL are not all that it weighs"
    if coef == 0:
        return None, "without a KL term any policy on the best format is optimal"
    if not objective.policy_gradient:
        return None, "fitting rewarded completions maximises no KL-regularised reward"
    if objective.divides_by != "none":
        number = {"std": "spread", "mean": "mean"}[objective.divides_by]
        return None, f"dividing rewards by each group's {number} weighs KL differently on every problem"
    if objective.whiten and place != "reward":
        return None, "whitening rescales the rewards of each step but not the KL in the loss"
    completions = objective.prompts_per_step * objective.samples_per_prompt
    if objective.whiten and completions < LARGE_STEP:
        return None, (
            f"whitening divides each step by its own spread, and a step of {completions} completions whose "
            "rewards agree would scale up the KL alone"
        )
    if (estimator, place) == ("k1", "reward"):
        return coef, "the penalty is part of the reward, so the coefficient is the weight"
    if (estimator, place) == ("exact", "both"):
        if objective.own_baseline:
            return (
                None,
                "the group mean holds the sample itself, which weakens later tokens' KL and not its own",
            )
        return coef, "the penalty is part of the reward, so the coefficient is the weight"
    if place == "loss" and estimator in ("k2", "exact") and objective.own_baseline:
        group = objective.samples_per_prompt
        return coef * group / (group - 1), (
            f"the group mean holds the sample itself, which leaves (G - 1) / G of the reward's gradient at "
            f"G = {group} and all of the KL's"
        )
    if place == "loss" and estimator in ("k2", "exact"):
        return coef, f"the gradient of {estimator} as a loss is that of each token's reverse KL"
    if place == "reward":
        return None, f"{estimator} in the reward has the gradient of no KL"
    if estimator == "k3":
        return None, "the gradient of k3 as a loss is that of the forward KL, another objective"
    return None, "k1 as a loss has zero gradient in expectation"
