"""The fit of one step: passes over its rollouts in minibatches, one exact gradient each.

Axes: B completions, T tokens, N all completion tokens of a batch, V vocabulary.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..core.random import generator
from ..formulas.logprobs import KL_ESTIMATORS, kl_exact, kl_k3
from ..formulas.losses import value_loss
from ..model.runtime import Runtime
from ..rollout.batch import Batch, TokenSequence, batches
from ..rollout.collect import Collection
from ..rollout.score import batch_logits, batch_values, evenly, spread, states_and_logprobs
from ..rollout.stored_rollouts import tokens_of
from .averaging import averaging
from .config import LRSchedule, RLConfig
from .learner import Learner
from .loss_terms import LossInputs
from .targets import Targets
from .update_stats import UpdateStats


def fit(
    learner: Learner,
    collection: Collection,
    targets: Targets,
    config: RLConfig,
    runtime: Runtime,
    lr_schedule: LRSchedule,
    stream: tuple[int, int],
) -> dict[str, float]:
    """Update the learner on the step's rollouts; returns metrics. `stream`: (seed, step), of the shuffling.

    Raises FloatingPointError where a gradient is not finite, before it changes any weight.
    """
    counted = np.flatnonzero(targets.counted)
    size = max(min(config.minibatch_samples or len(counted), len(counted)), 1)
    starts = range(0, len(counted), size)
    stats, total = UpdateStats(), config.passes * len(starts)
    if learner.algorithm.ratio:
        stats.add(ratio=0.0, clipped=0.0, kl_sampler=0.0)  # in the log even where no group has signal
    for current in range(config.passes):
        # Sorted within a minibatch, so that rollouts of one prompt are packed together.
        order = (
            generator("minibatches", *stream, current).permutation(counted)
            if size < len(counted)
            else counted
        )
        for number, start in enumerate(starts):
            stats.lr_factor = lr_schedule(current * len(starts) + number, total)
            minibatch = np.sort(order[start : start + size])
            if accumulate_gradient(learner, collection, targets, minibatch, config, runtime, stats):
                if not learner.split:  # the last backward pass has summed up those of split weights
                    runtime.ranks.sum_gradients(learner.parameters())
                norm = learner.step(stats.lr_factor)
                _check_finite(norm, stats, stream[1])
                stats.add(grad_norm=norm)
                stats.updates += 1
    return stats.over_ranks(runtime.ranks).metrics(config.optimizer.lr)


def accumulate_gradient(
    learner: Learner,
    collection: Collection,
    targets: Targets,
    chosen: np.ndarray,
    config: RLConfig,
    runtime: Runtime,
    stats: UpdateStats,
) -> bool:
    """Add the gradient of this rank's part of one minibatch; False where no rollout in it has a gradient.

    `chosen`: indices of the minibatch's rollouts. The loss is divided by a count over the whole minibatch,
    so the split into ranks and microbatches changes nothing.
    """
    indices: list[int] = chosen.tolist()
    rollouts = [tokens_of(collection.rollouts, i) for i in indices]
    num_tokens = sum(len(r.token_ids) for r in rollouts)
    average, denominator = averaging(
        config.loss.average or learner.algorithm.average, num_tokens, len(rollouts), config.max_new_tokens
    )
    # A rollout of zero advantage has a gradient only by a penalty, a further loss term or a critic.
    all_of_them = config.kl.in_loss or bool(learner.algorithm.loss_terms) or learner.critic is not None
    active = [i for i in indices if all_of_them or bool((targets.columns["advantages"][i] != 0).any())]
    mine = active[runtime.ranks.part(len(active))]
    columns = {name: [values[i] for i in mine] for name, values in targets.columns.items()}
    passes = batches(
        [tokens_of(collection.rollouts, i) for i in mine],
        columns,
        config.microbatch_tokens,
        fixed_shape=runtime.compile,
    )

    def backward(batch: Batch, scale: float = 1.0) -> None:
        losses, value_losses = token_losses(learner, batch, config, runtime, stats)
        mask = batch.completion_mask.to(runtime.device)
        loss = average(losses, mask, denominator)
        stats.add(loss=float(loss.detach()))
        if value_losses is not None:
            # Values are averaged over tokens whatever the policy's average is.
            value = (value_losses * mask).sum() / num_tokens
            stats.add(value_loss=float(value.detach()))
            loss = loss + (config.critic.coef if learner.critic_optimizer is None else 1.0) * value
        (loss * scale if scale != 1.0 else loss).backward()
        stats.tokens += batch.num_tokens

    if learner.split and active:
        _backward_together(learner, list(passes), rollouts, config, runtime, backward)
    else:
        for batch in passes:
            backward(batch)
    return bool(active)


def _backward_together(
    learner: Learner,
    passes: list[Batch],
    rollouts: Sequence[TokenSequence],
    config: RLConfig,
    runtime: Runtime,
    backward: Callable[[Batch, float], None],
) -> None:
    """The same with split weights: as many passes on every rank, and one sum over the ranks at the end."""
    ranks = runtime.ranks
    together = list(evenly(passes, rollouts, {}, ranks))
    for number, (batch, counts) in enumerate(together, start=1):
        learner.sync_gradients(number == len(together))
        if counts:
            backward(batch, float(ranks.world_size))  # the sum over ranks comes as their mean
        else:
            _empty_backward(learner, batch, config, runtime)


def _empty_backward(learner: Learner, batch: Batch, config: RLConfig, runtime: Runtime) -> None:
    """A pass whose gradients are zero, for the other ranks' sake."""
    _, logprobs, _ = states_and_logprobs(learner.policy, batch, config.temperature, runtime)
    loss = 0.0 * logprobs.sum()
    if learner.critic is not None:
        loss = loss + 0.0 * batch_values(learner.critic, batch, None, runtime).sum()
    loss.backward()


def token_losses(
    learner: Learner, batch: Batch, config: RLConfig, runtime: Runtime, stats: UpdateStats
) -> tuple[Tensor, Tensor | None]:
    """Policy loss per token (B, T) with all its terms, and the value loss (B, T) where there is a critic."""
    row, mask = learner.algorithm, batch.completion_mask.to(runtime.device)
    column = {name: values.to(runtime.device) for name, values in batch.columns.items()}
    states, found, _ = states_and_logprobs(learner.policy, batch, config.temperature, runtime)
    logprobs = spread(batch, found)
    low, high = config.clip
    ratio = row.ratio(logprobs, column["old_logprobs"], mask) if row.ratio else torch.ones_like(logprobs)
    losses = row.loss(logprobs, ratio, column["advantages"], low, high)
    if config.kl.in_loss:
        losses = losses + learner.kl_coef * _kl_term(
            learner, batch, states, logprobs, column, config, runtime
        )
    for term in row.loss_terms:
        losses = losses + term(_loss_inputs(learner, batch, states, logprobs, column, config, runtime))
    if row.ratio:
        _count_ratios(stats, ratio.detach(), (logprobs.detach() - column["old_logprobs"]), mask, low, high)
    if learner.critic is None:
        return losses, None
    values = spread(batch, batch_values(learner.critic, batch, states, runtime))
    clip = config.critic.value_clip or float("inf")
    return losses, value_loss(values, column["old_values"], column["returns"], clip)


def _kl_term(
    learner: Learner,
    batch: Batch,
    states: Tensor,
    logprobs: Tensor,
    column: dict[str, Tensor],
    config: RLConfig,
    runtime: Runtime,
) -> Tensor:
    """KL to the base per token (B, T), with its gradient."""
    if config.kl.estimator != "exact":
        return KL_ESTIMATORS[config.kl.estimator](logprobs, column["ref_logprobs"])
    logits = _logits(learner, states, runtime)
    with torch.no_grad():
        ref_logits = batch_logits(learner.reference, batch, runtime)
    return spread(batch, kl_exact(logits, ref_logits, config.temperature))


def _loss_inputs(
    learner: Learner,
    batch: Batch,
    states: Tensor,
    logprobs: Tensor,
    column: dict[str, Tensor],
    config: RLConfig,
    runtime: Runtime,
) -> LossInputs:
    """What further loss terms are computed from; logits only where a term asks for them."""

    def from_logits(function: Callable[[Tensor], Tensor]) -> Tensor:
        return spread(batch, function(_logits(learner, states, runtime)).float())

    mask = batch.completion_mask.to(runtime.device)
    return LossInputs(
        logprobs, column["old_logprobs"], column["advantages"], mask, config.temperature, from_logits
    )


def _logits(learner: Learner, states: Tensor, runtime: Runtime) -> Tensor:
    """The policy's logits (N, V), with their gradient, from its hidden states (N, D)."""
    with runtime.autocast():
        return learner.policy.logits(states)


def _count_ratios(
    stats: UpdateStats, ratio: Tensor, difference: Tensor, mask: Tensor, low: float, high: float
) -> None:
    outside = ((ratio < 1 - low) | (ratio > 1 + high)) & mask
    stats.add(clipped=float(outside.sum()), ratio=float((ratio * mask).sum()))
    # KL(sampler || policy), whose samples these are.
    stats.add(kl_sampler=float((kl_k3(torch.zeros_like(difference), difference) * mask).sum()))
    stats.ratio_max = max(stats.ratio_max, float(ratio[mask].max()))


def _check_finite(norm: float, stats: UpdateStats, step: int) -> None:
    losses = stats.sums.get("loss", 0.0)
    if not np.isfinite(norm) or not np.isfinite(losses):
        raise FloatingPointError(
            f"gradient norm is {norm} at step {step}, update {stats.updates + 1} "
            f"(sum of losses so far {losses:.4g}, largest ratio {stats.ratio_max:.4g}, "
            f"{stats.tokens} tokens fitted)"
        )
