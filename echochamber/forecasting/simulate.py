"""RL on a table: the steps of `rl.loop` with a table-sized policy in place of a model.

`rl.targets.estimate` and `rl.update.fit` are called as the loop calls them. So advantages, clipping, KL,
minibatches, schedules and averages over tokens are the arm's own, and not written a second time.
Axes: S steps (0 is the base), P problems, F behaviours.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..core.random import generator
from ..model.critic import Critic
from ..model.optimizer import Optimizer
from ..model.runtime import Runtime
from ..rl.algorithms import algorithm_row
from ..rl.config import RLConfig, adapt_kl, lr_schedule, num_steps
from ..rl.learner import Learner
from ..rl.log import compare
from ..rl.targets import estimate
from ..rl.update import fit
from .behaviour_table import BehaviourTable
from .table_optimizer import TableOptimizer
from .table_policy import Gains, Shape, TableCritic, TablePolicy
from .table_rollouts import TableSampler, table_problems

LONGEST = 16
"""Simulated tokens of the longest completion; real lengths are divided by one number to fit."""
_NO_CLIPPING = 1e9


@dataclass(frozen=True)
class Path:
    """One simulated run, on problems that RL has not seen."""

    shares: Float[np.ndarray, "S F"]
    accuracies: Float[np.ndarray, "S F"]
    """Of each behaviour when it is chosen, weighted by problems alike."""
    final_shares: Float[np.ndarray, "P F"]
    """Per problem, at the last step."""
    final_accuracies: Float[np.ndarray, "P F"]
    base_shares: Float[np.ndarray, "P F"]
    base_accuracies: Float[np.ndarray, "P F"]


def simulate_once(table: BehaviourTable, config: RLConfig, gains: Gains, seed: int) -> Path:
    """One run of the arm on the table; a function of its arguments alone."""
    torch.set_num_threads(1)  # the tensors are tiny
    stream = generator("forecast table", seed)
    shares, accuracies = table.draw(stream)
    rows = stream.integers(len(shares), size=config.problems.count)
    stride = max(1.0, float(table.tokens.max()) / LONGEST)
    config = in_simulated_tokens(config, stride)
    shape = shape_of(table, stride, algorithm_row(config.algorithm).keep_rewarded)
    learner = start_table_learner(shares[rows], accuracies[rows], shape, config, gains)
    policy = learner.policy
    assert isinstance(policy, TablePolicy)
    sampler = TableSampler(config, policy, table.behaviours, table_problems(len(rows)), seed)
    runtime = Runtime(torch.device("cpu"), torch.float32, 1, compile=False)
    total, path = num_steps(config, config.problems.count), [_unseen(policy, shares, accuracies)]
    for step in range(1, total + 1):
        collection = sampler.step(step)
        kl = compare(learner, collection.rollouts, config, runtime)["policy/kl"] if config.kl.target else 0.0
        if config.restart:
            learner.restart(config)
        targets = estimate(learner, collection, config, runtime)
        fit(learner, collection, targets, config, runtime, lr_schedule(config, step, total), (seed, step))
        learner.kl_coef = adapt_kl(config, learner.kl_coef, kl)
        path.append(_unseen(policy, shares, accuracies))
    return Path(
        np.array([(s).mean(0) for s, _ in path]),
        np.array([(s * a).sum(0) / s.sum(0) for s, a in path]),
        *path[-1],
        *path[0],
    )


def in_simulated_tokens(config: RLConfig, stride: float) -> RLConfig:
    """The arm with lengths in simulated tokens, `stride` real ones each, and what a table cannot have.

    A token's discount is that of its `stride` real ones. Norms of real gradients mean nothing to a table, so
    they are not clipped, and its logits do not decay.
    """
    free = {"clip_norm": _NO_CLIPPING, "weight_decay": 0.0, "name": "adamw"}
    critic = config.critic.model_copy(
        update={
            "gamma": config.critic.gamma**stride,
            "lam": config.critic.lam**stride,
            "optimizer": config.critic.optimizer.model_copy(update=free),
        }
    )
    return config.model_copy(
        update={
            "critic": critic,
            "optimizer": config.optimizer.model_copy(update=free),
            "max_new_tokens": max(LONGEST, round(config.max_new_tokens / stride)),
            "overlong_buffer": round(config.overlong_buffer / stride),
            "microbatch_tokens": 2**20,
        }
    )


def shape_of(table: BehaviourTable, stride: float, distinct: bool) -> Shape:
    """Simulated lengths; an answer is right or wrong half-way through the shorter of both.

    `distinct`: whether the algorithm asks if two completions are equal; only then do their texts matter.
    """
    lengths = np.maximum(4, np.rint(table.tokens / stride)).astype(np.int64)
    variants = (table.variants if distinct else np.ones_like(table.variants)).astype(np.int64)
    return Shape(lengths, np.maximum(1, lengths.min(1) // 2), variants, table.sharpening, distinct)


def start_table_learner(
    shares: np.ndarray, accuracies: np.ndarray, shape: Shape, config: RLConfig, gains: Gains
) -> Learner:
    """A learner whose policy and reference are the table; its critic shares an optimizer as the arm says."""
    row = algorithm_row(config.algorithm)
    policy, reference = (TablePolicy(shares, accuracies, shape, gains, config.temperature) for _ in range(2))
    reference.requires_grad_(False)
    critic: Critic | None = TableCritic(shares.shape[1], gains.value) if row.critic else None
    own = critic is not None and config.critic.trunk == "own"
    trained = torch.nn.ModuleList([policy, critic]) if critic is not None and not own else policy
    critic_optimizer = Optimizer(critic, config.critic.optimizer) if critic is not None and own else None
    optimizer = TableOptimizer(trained, config.optimizer)
    return Learner(row, policy, reference, critic, optimizer, critic_optimizer, config.kl.coef)


@torch.no_grad()
def _unseen(policy: TablePolicy, shares: np.ndarray, accuracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares and accuracies (P, F) on problems like the measured ones that RL has not trained on."""
    heat = policy.temperature
    choice = np.log(shares) + policy.choice.numpy() / heat
    weight = np.exp(choice - choice.max(1, keepdims=True))
    moved = (policy.slope * policy.skill).numpy() / heat
    skill = np.log(accuracies) - np.log1p(-accuracies) + moved
    return weight / weight.sum(1, keepdims=True), 1 / (1 + np.exp(-skill))
