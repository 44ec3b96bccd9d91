"""Targets of the fit: advantages or weights, returns, old and reference log-probabilities of the rollouts.

Axes: B rollouts, P problems, G samples of one problem, T tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..formulas.advantages import gae, whiten
from ..formulas.logprobs import KL_ESTIMATORS, kl_exact
from ..formulas.penalties import overlong_penalty
from ..model.runtime import Runtime
from ..rollout.batch import Batch
from ..rollout.collect import Collection, Rollout
from ..rollout.score import all_logprobs, batch_logits, batch_states, batch_values, per_rollout
from ..rollout.stored_rollouts import Column, StoredRollouts, problem_of, tokens_of
from .algorithms import Algorithm
from .config import RLConfig
from .learner import Learner

GroupEstimator = Callable[[Tensor], Tensor]
"""Rewards (P, G) -> advantages or weights (P, G)."""


@dataclass(frozen=True)
class Targets:
    """One entry per rollout of the collection, in its order."""

    counted: np.ndarray
    """(B,) bool: which rollouts are fitted; the others are in no sum and no denominator."""
    columns: dict[str, Sequence[Tensor]]
    """Per token (T_i,): `advantages` and `old_logprobs`.

    `ref_logprobs` where there is a KL penalty; `returns` and `old_values` where there is a critic.
    """


def estimate(learner: Learner, collection: Collection, config: RLConfig, runtime: Runtime) -> Targets:
    """Advantages of every rollout, and the log-probabilities and values that the losses compare with."""
    row, rollouts = learner.algorithm, collection.rollouts
    columns = {"old_logprobs": _old_logprobs(learner, rollouts, config, runtime)}
    penalties: list[Tensor] | None = None
    if config.kl.coef > 0:
        columns["ref_logprobs"] = all_logprobs(
            learner.reference, rollouts, config.temperature, config.microbatch_tokens, runtime
        )
    if config.kl.in_reward:
        penalties = [
            learner.kl_coef * kl for kl in _kl_in_reward(learner, rollouts, columns, config, runtime)
        ]
    rewards = shaped_rewards(rollouts, config)
    counted = ~np.isnan(rewards) & signal_groups(
        earned_rewards(rollouts), collection.samples_per_prompt, config
    )
    if row.advantages is None:
        columns |= _critic_targets(
            learner, rollouts, np.nan_to_num(rewards), penalties, counted, config, runtime
        )
    else:
        advantages = group_advantages(row, row.advantages, rewards, collection.samples_per_prompt)
        if penalties is not None:
            # Centred but never divided by the group's spread: so the coefficient keeps its meaning, and
            # a group of equal rewards does not amplify the noise of its KL.
            kl_rewards = np.where(np.isnan(rewards), np.nan, [-float(kl.sum()) for kl in penalties])
            advantages += group_advantages(row, row.centre, kl_rewards, collection.samples_per_prompt)
        if row.keep_rewarded:
            rewarded = advantages > 0
            counted &= rewarded if config.keep_duplicates else first_of_equal(rollouts, rewarded)
        columns["advantages"] = _at_every_token(rollouts, advantages)
    if config.whitened:
        columns["advantages"] = _whitened(columns["advantages"], counted)
    return Targets(counted, columns)


def earned_rewards(rollouts: Sequence[Rollout]) -> np.ndarray:
    """Rewards (B,) without any penalty; NaN where the grader could not decide."""
    if isinstance(rollouts, StoredRollouts):
        return rollouts.rewards
    return np.array([np.nan if r.reward is None else r.reward for r in rollouts], dtype=np.float64)


def token_counts(rollouts: Sequence[Rollout]) -> np.ndarray:
    """Tokens (B,) of each completion."""
    if isinstance(rollouts, StoredRollouts):
        return rollouts.lengths
    return np.array([len(r.token_ids) for r in rollouts], dtype=np.int64)


def _at_every_token(rollouts: Sequence[Rollout], values: np.ndarray) -> Sequence[Tensor]:
    """A number of each rollout (B,) at every one of its tokens."""
    counts, numbers = token_counts(rollouts).tolist(), values.tolist()
    column = Column(len(counts), lambda index: torch.full((counts[index],), numbers[index]))
    return column if isinstance(rollouts, StoredRollouts) else list(column)


def shaped_rewards(rollouts: Sequence[Rollout], config: RLConfig) -> np.ndarray:
    """Rewards (B,) less the overlong penalty; NaN where the grader could not decide."""
    rewards = earned_rewards(rollouts)
    lengths = torch.from_numpy(token_counts(rollouts))
    penalties: np.ndarray = overlong_penalty(lengths, config.max_new_tokens, config.overlong_buffer).numpy()
    shaped: np.ndarray = rewards + penalties
    return shaped


def signal_groups(rewards: np.ndarray, group: int, config: RLConfig) -> np.ndarray:
    """(B,) bool: members of the first `prompts_per_step` groups with signal; with one sampling round all."""
    if config.sampling_rounds == 1:
        return np.ones(len(rewards), dtype=bool)
    spread = has_signal(rewards, group)
    kept = spread & (np.cumsum(spread) <= config.prompts_per_step)
    return np.repeat(kept, group)


def has_signal(rewards: np.ndarray, group: int) -> np.ndarray:
    """(P,) bool: groups whose known rewards differ.

    DAPO's dynamic sampling (eq. 11) asks for right and wrong answers, so `rewards` are those without the
    overlong penalty: two right answers of different lengths carry none.
    """
    groups = rewards.reshape(-1, group)
    known = ~np.isnan(groups)
    highest = np.where(known, groups, -np.inf).max(1)
    lowest = np.where(known, groups, np.inf).min(1)
    differ: np.ndarray = known.any(1) & (highest > lowest)
    return differ


def group_advantages(
    row: Algorithm, estimator: GroupEstimator, rewards: np.ndarray, group: int
) -> np.ndarray:
    """Advantages (B,) of rewards (B,), by an estimator (P, G) -> (P, G) of the row.

    An unknown reward has no place in its group: the others are compared as if it had not been sampled. Its
    own advantage is 0, as is that of a sample that a row with comparisons has nothing to compare with.
    """
    groups = rewards.reshape(-1, group)
    known = ~np.isnan(groups)
    advantages = np.zeros(groups.shape)
    fewest = 2 if row.policy_gradient else 1
    for count in range(fewest, group + 1):
        chosen = known.sum(1) == count
        if chosen.any():
            # Boolean indexing keeps the samples' order, which "the first best" needs.
            mine = known & chosen[:, None]
            found = estimator(torch.from_numpy(groups[mine].reshape(-1, count))).numpy()
            advantages[mine] = found.reshape(-1)
    return advantages.reshape(-1)


def first_of_equal(rollouts: Sequence[Rollout], rewarded: np.ndarray) -> np.ndarray:
    """(B,) bool: the rewarded completions (B,) bool without repetitions of a problem's equal ones."""
    seen: set[tuple[str, tuple[int, ...]]] = set()
    first = np.zeros(len(rollouts), dtype=bool)
    for index in np.flatnonzero(rewarded).tolist():
        identity = (problem_of(rollouts, index).id, tokens_of(rollouts, index).token_ids)
        first[index] = identity not in seen
        seen.add(identity)
    return first


def _old_logprobs(
    learner: Learner, rollouts: Sequence[Rollout], config: RLConfig, runtime: Runtime
) -> Sequence[Tensor]:
    if config.loss.old_logprobs == "recomputed":
        return all_logprobs(learner.policy, rollouts, config.temperature, config.microbatch_tokens, runtime)
    if isinstance(rollouts, StoredRollouts):
        return Column(len(rollouts), rollouts.logprobs)
    return [torch.tensor(r.completion.logprobs) for r in rollouts]


def _kl_in_reward(
    learner: Learner,
    rollouts: Sequence[Rollout],
    columns: dict[str, Sequence[Tensor]],
    config: RLConfig,
    runtime: Runtime,
) -> list[Tensor]:
    """KL(sampling policy || base) per token of each rollout, by the configured estimator."""
    if config.kl.estimator == "exact":

        def exact(batch: Batch) -> Tensor:
            logits, ref_logits = (
                batch_logits(learner.policy, batch, runtime),
                batch_logits(learner.reference, batch, runtime),
            )
            return kl_exact(logits, ref_logits, config.temperature)

        return per_rollout(rollouts, config.microbatch_tokens, runtime, exact)
    estimator = KL_ESTIMATORS[config.kl.estimator]
    return [
        estimator(old, ref) for old, ref in zip(columns["old_logprobs"], columns["ref_logprobs"], strict=True)
    ]


def _critic_targets(
    learner: Learner,
    rollouts: Sequence[Rollout],
    rewards: np.ndarray,
    penalties: list[Tensor] | None,
    counted: np.ndarray,
    config: RLConfig,
    runtime: Runtime,
) -> dict[str, list[Tensor]]:
    """Values, generalised advantages and returns. The reward is given at the last token, the KL at each."""
    critic = learner.critic
    assert critic is not None

    def values_of(batch: Batch) -> Tensor:
        states = None
        if critic.trunk is None:
            with runtime.autocast():
                states = batch_states(learner.policy, batch, runtime)
        return batch_values(critic, batch, states, runtime)

    values = per_rollout(rollouts, config.microbatch_tokens, runtime, values_of)
    per_token = [-p for p in penalties] if penalties else [torch.zeros_like(v) for v in values]
    for row, reward in zip(per_token, rewards.tolist(), strict=True):
        row[-1] += reward
    lengths = [len(v) for v in values]
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    padded, padded_values = pad_sequence(per_token, batch_first=True), pad_sequence(values, batch_first=True)
    advantages = gae(padded, padded_values, mask, config.critic.gamma, config.critic.lam)
    advantages *= torch.from_numpy(counted)[:, None]
    returns = advantages + padded_values
    cut = [(a[:n], r[:n]) for a, r, n in zip(advantages, returns, lengths, strict=True)]
    return {"advantages": [a for a, _ in cut], "returns": [r for _, r in cut], "old_values": values}


def _whitened(advantages: Sequence[Tensor], counted: np.ndarray) -> list[Tensor]:
    lengths = [len(a) for a in advantages]
    padded = pad_sequence(list(advantages), batch_first=True)
    mask = (torch.arange(padded.shape[1]) < torch.tensor(lengths)[:, None]) & torch.from_numpy(counted)[
        :, None
    ]
    return [row[:n] for row, n in zip(whiten(padded, mask), lengths, strict=True)]
