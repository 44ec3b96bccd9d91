"""Simpler forecasts beside the simulation: naive rules and three closed-form ones."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.formats import OTHER
from ..rl.algorithms import algorithm_row
from ..rl.config import RLConfig, num_steps
from ..stats.forecast import Objective, bandits, effective_kl_weight, kl_optimum, replicator
from .behaviour_table import BehaviourTable

BaselineName = Literal[
    "most_frequent",
    "most_accurate",
    "shortest",
    "most_frequent_correct",
    "kl_optimum",
    "replicator",
    "bandit",
]
SMALL_KL = 0.05
"""Weight at which the KL optimum is shown where the arm has none of its own."""
FLOW_TIME = 200.0
"""Long enough for the flow to settle on one behaviour."""
_BANDIT_RUNS, _BANDIT_RATE = 32, 1.0


@dataclass(frozen=True)
class Baseline:
    """One simpler forecast."""

    name: BaselineName
    winner: str
    share: float | None
    """Forecast share of the winner; None for a rule that names a winner only."""


def baselines(table: BehaviourTable, config: RLConfig) -> list[Baseline]:
    """All of them, on the behaviours with a name."""
    shares, accuracies = table.shares, table.accuracies
    correct = shares * accuracies
    mean_tokens = table.tokens.mean(1)
    kl = kl_optimum(table.num / table.num.sum(1, keepdims=True), _per_problem(table), _weight(config))
    start = np.tile(np.stack([shares, accuracies])[:, None], (1, _BANDIT_RUNS, 1))
    steps = num_steps(config, config.problems.count)
    size = (config.prompts_per_step, config.samples_per_prompt)
    advantage = objective(config).advantage
    drawn = bandits(start[0], start[1], steps, *size, _BANDIT_RATE, 0, advantage)[-1].mean(0)
    return [
        _rule(table, "most_frequent", shares),
        _rule(table, "most_accurate", accuracies),
        _rule(table, "shortest", -mean_tokens),
        _rule(table, "most_frequent_correct", correct),
        _shares(table, "kl_optimum", kl),
        _shares(table, "replicator", replicator(shares, accuracies, FLOW_TIME)),
        _shares(table, "bandit", drawn),
    ]


def objective(config: RLConfig) -> Objective:
    """What of the arm's algorithm decides how it weighs rewards."""
    row = algorithm_row(config.algorithm)
    return Objective(
        row.policy_gradient,
        row.divides_by,
        config.whitened,
        len(row.loss_terms),
        row.critic,
        row.own_baseline,
        config.prompts_per_step,
        config.samples_per_prompt,
    )


def _weight(config: RLConfig) -> float:
    """The KL weight that the arm optimises, or a small one."""
    weight, _ = effective_kl_weight(config.kl.coef, config.kl.place, config.kl.estimator, objective(config))
    return weight or SMALL_KL


def _per_problem(table: BehaviourTable) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(table.right / table.num)


def _named(table: BehaviourTable) -> list[int]:
    return [i for i, name in enumerate(table.behaviours) if name != OTHER]


def _rule(table: BehaviourTable, name: BaselineName, score: np.ndarray) -> Baseline:
    best = max(_named(table), key=lambda i: float(score[i]))
    return Baseline(name, table.behaviours[best], None)


def _shares(table: BehaviourTable, name: BaselineName, shares: np.ndarray) -> Baseline:
    best = max(_named(table), key=lambda i: float(shares[i]))
    return Baseline(name, table.behaviours[best], float(shares[best]))
