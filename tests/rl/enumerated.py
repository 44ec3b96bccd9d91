"""A policy so small that every completion can be listed, and the exact gradients that follow.

Vocabulary {EOS, a, b}, at most two tokens: seven completions of one prompt.
"""

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.model.config import ModelConfig
from echochamber.model.critic import Critic
from echochamber.model.optimizer import Optimizer
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.transformer import Transformer
from echochamber.rl.algorithms import algorithm_row
from echochamber.rl.averaging import averaging
from echochamber.rl.config import RLConfig
from echochamber.rl.learner import Learner
from echochamber.rl.targets import estimate
from echochamber.rl.update import token_losses
from echochamber.rl.update_stats import UpdateStats
from echochamber.rollout.batch import batches
from echochamber.rollout.collect import Collection, Rollout

EOS, LIMIT = 0, 2
SEQUENCES = [(EOS,), (1, EOS), (2, EOS), *itertools.product((1, 2), repeat=2)]
PROMPT = (1, 2)
REWARDS = {(2, EOS): 1.0, (1, 1): 0.4, (2, 1): 1.0, (EOS,): 0.2}
"""Rewards; the others get nothing."""


def small_model(seed: int) -> Transformer:
    """One layer over three tokens."""
    config = ModelConfig(
        vocab_size=3,
        hidden_size=8,
        intermediate_size=8,
        num_layers=1,
        num_heads=2,
        num_kv_heads=1,
        max_positions=8,
        init_std=0.7,
    )
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(seed))
    return model


def runtime():
    """Exact arithmetic, no compiler."""
    return start_runtime(RuntimeConfig(dtype="float32", compile="off", threads=1))


def learner_for(config: RLConfig) -> Learner:
    """Policy and reference that differ; a critic with values that are anything but right."""
    policy, row = small_model(0), algorithm_row(config.algorithm)
    critic = None
    if row.critic:
        critic = Critic(policy.config.hidden_size, small_model(5))
        torch.nn.init.normal_(critic.score.weight, std=0.5, generator=torch.Generator().manual_seed(3))
    other = Optimizer(critic, config.critic.optimizer) if critic else None
    return Learner(
        row, policy, small_model(1), critic, Optimizer(policy, config.optimizer), other, config.kl.coef
    )


def all_steps(model: Transformer, temperature: float = 1.0) -> list[Tensor]:
    """Of each completion the log-distributions (T, V) from which its tokens are drawn."""
    ids = torch.tensor([[*PROMPT, *(s + (0,) * LIMIT)[:LIMIT]] for s in SEQUENCES])
    logp = torch.log_softmax(model(ids) / temperature, dim=-1)
    return [logp[i, len(PROMPT) - 1 : len(PROMPT) - 1 + len(s)] for i, s in enumerate(SEQUENCES)]


def token_logps(model: Transformer, temperature: float = 1.0) -> list[Tensor]:
    """log pi of each token of each completion."""
    return [
        rows.gather(1, torch.tensor(s)[:, None])[:, 0]
        for rows, s in zip(all_steps(model, temperature), SEQUENCES, strict=True)
    ]


def sequence_logps(model: Transformer) -> Tensor:
    """(7,) log-probabilities of the completions; they sum to one."""
    return torch.stack([logps.sum() for logps in token_logps(model)])


def gradient(model: Transformer, value: Tensor) -> Tensor:
    """The gradient of a scalar in all parameters, as one vector."""
    parts = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    return torch.cat(
        [
            torch.zeros(p.numel()) if g is None else g.flatten()
            for g, p in zip(parts, model.parameters(), strict=True)
        ]
    )


def rollouts_of(learner: Learner, chosen: list[int], rewards: dict[tuple[int, ...], float]) -> list[Rollout]:
    """These completions as the sampler would hand them over."""
    logps = [row.detach() for row in token_logps(learner.policy)]
    made = []
    for number, index in enumerate(chosen):
        ids = SEQUENCES[index]
        completion = Completion("", ids, tuple(logps[index].tolist()), ids[-1] != EOS)
        made.append(
            Rollout(
                Problem(str(number), "", "1"),
                0,
                PROMPT,
                completion,
                Verdict("other", None, "wrong"),
                rewards.get(ids, 0.0),
            )
        )
    return made


def expected_gradient(
    config: RLConfig, rewards: dict[tuple[int, ...], float], group: int = 2, unknown: int = 0
) -> tuple[Learner, Tensor]:
    """E[gradient of the loss] over all groups of completions, each weighted with its probability.

    `unknown`: how many of a group, the last ones, the grader could not decide.
    """
    learner = learner_for(config)
    groups = list(itertools.product(range(len(SEQUENCES)), repeat=group))
    weights = sequence_logps(learner.policy).detach()[torch.tensor(groups)].sum(1).exp()
    rollouts = rollouts_of(learner, [index for members in groups for index in members], rewards)
    rollouts = [
        replace(rollout, reward=None) if number % group >= group - unknown else rollout
        for number, rollout in enumerate(rollouts)
    ]
    targets = estimate(learner, Collection(rollouts, group), config, runtime())
    (batch,) = batches(rollouts, targets.columns, 10**6)
    losses, _ = token_losses(learner, batch, config, runtime(), UpdateStats())
    losses = losses * torch.from_numpy(targets.counted)[:, None]
    total = torch.zeros(())
    for number, weight in enumerate(weights):
        rows = slice(number * group, (number + 1) * group)
        mask, counted = batch.completion_mask[rows], torch.from_numpy(targets.counted[rows])
        average, denominator = averaging(
            config.loss.average or learner.algorithm.average,
            int(mask[counted].sum()),
            int(counted.sum()),
            LIMIT,
        )
        total = total + weight * average(losses[rows], mask, denominator)
    return learner, gradient(learner.policy, total)


def reward_gradient(model: Transformer, rewards: dict[tuple[int, ...], float]) -> Tensor:
    """The exact gradient of the expected reward."""
    paid = torch.tensor([rewards.get(s, 0.0) for s in SEQUENCES])
    return gradient(model, (sequence_logps(model).exp() * paid).sum())


def kl_gradient(model: Transformer, reference: Transformer) -> Tensor:
    """The exact gradient of KL(policy || reference) over whole completions."""
    logps, ref = sequence_logps(model), sequence_logps(reference).detach()
    return gradient(model, (logps.exp() * (logps - ref)).sum())


def visited_kl_gradient(model: Transformer, reference: Transformer, forward: bool = False) -> Tensor:
    """Gradient of the KL of each next-token distribution, summed over the states visited; these are fixed."""
    weights = sequence_logps(model).detach().exp()
    total = torch.zeros(())
    for weight, rows, ref_rows in zip(weights, all_steps(model), all_steps(reference), strict=True):
        ref_rows = ref_rows.detach()
        p, q = (ref_rows, rows) if forward else (rows, ref_rows)
        total = total + weight * (p.exp() * (p - q)).sum()
    return gradient(model, total)
