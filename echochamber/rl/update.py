"""One step's update: passes over the rollouts in minibatches, one exact gradient each.

Axes: B completions, T tokens, N all completion tokens.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..core.random import generator
from ..formulas.logprobs import KL_ESTIMATORS, kl_exact, kl_k3
from ..formulas.losses import value_loss
from ..model.ranks import Ranks
from ..model.runtime import Runtime
from ..rollout.batch import Batch, batches
from ..rollout.collect import Collection
from ..rollout.score import batch_logits, batch_states, batch_values, spread
from .algorithms import averaging
from .config import RLConfig
from .learner import Learner
from .targets import Targets

RateFactor = Callable[[int, int], float]
"""(update of this step from 0, updates of this step) -> factor on the peak learning rates."""


@dataclass
class Tally:
    """Sums over the updates of a step."""

    updates: int = 0
    tokens: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    ratio_max: float = 0.0
    factor: float = 0.0

    def add(self, **values: float) -> None:
        """Add to the named sums."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def over_ranks(self, ranks: Ranks) -> "Tally":
        """The tally of all ranks' parts together; updates, norms and the step size are common to them."""
        parts = [Tally(**data) for data in ranks.gather(asdict(self))]
        for other in parts[1:]:
            parts[0].tokens += other.tokens
            parts[0].ratio_max = max(parts[0].ratio_max, other.ratio_max)
            parts[0].add(**{name: value for name, value in other.sums.items() if name != "grad_norm"})
        return parts[0]

    def metrics(self, lr: float) -> dict[str, float]:
        """Means per update (losses, norms) and per token of the passes made (ratios, values)."""
        per_update, per_token = max(self.updates, 1), max(self.tokens, 1)
        metrics = {
            "policy/loss": self.sums.get("loss", 0.0) / per_update,
            "policy/grad_norm": self.sums.get("grad_norm", 0.0) / per_update,
            "policy/lr": lr * self.factor,
            "policy/updates": self.updates,
            "policy/tokens": self.tokens,
        }
        if "ratio" in self.sums:
            metrics |= {
                "policy/clip_frac": self.sums["clipped"] / per_token,
                "policy/ratio_mean": self.sums["ratio"] / per_token,
                "policy/ratio_max": self.ratio_max,
                "policy/kl_sampler": self.sums["kl_sampler"] / per_token,
            }
        if "value_loss" in self.sums:
            metrics["critic/loss"] = self.sums["value_loss"] / per_update
        return metrics


def fit(
    learner: Learner,
    collection: Collection,
    targets: Targets,
    config: RLConfig,
    runtime: Runtime,
    rate: RateFactor,
    stream: tuple[int, int],
) -> dict[str, float]:
    """Update the learner; returns figures of the updates. `stream` is (seed, step).

    Raises FloatingPointError before a gradient that is not finite changes any weight.
    """
    counted = np.flatnonzero(targets.counted)
    size = max(min(config.minibatch_samples or len(counted), len(counted)), 1)
    starts = range(0, len(counted), size)
    tally, total = Tally(), config.passes * len(starts)
    if learner.algorithm.ratio:
        tally.add(ratio=0.0, clipped=0.0, kl_sampler=0.0)  # named in the log even where no group has signal
    for current in range(config.passes):
        # Sorted within a minibatch: neighbours share their prompt in packing, and sums do not mind.
        order = (
            generator("minibatches", *stream, current).permutation(counted)
            if size < len(counted)
            else counted
        )
        for number, start in enumerate(starts):
            tally.factor = rate(current * len(starts) + number, total)
            if accumulate(
                learner, collection, targets, np.sort(order[start : start + size]), config, runtime, tally
            ):
                runtime.ranks.sum_gradients(learner.parameters())
                norm = learner.step(tally.factor)
                _check_finite(norm, tally, stream[1])
                tally.add(grad_norm=norm)
                tally.updates += 1
    return tally.over_ranks(runtime.ranks).metrics(config.optimizer.lr)


def accumulate(
    learner: Learner,
    collection: Collection,
    targets: Targets,
    chosen: np.ndarray,
    config: RLConfig,
    runtime: Runtime,
    tally: Tally,
) -> bool:
    """Add the gradient of this rank's part of one minibatch; False when nothing in the minibatch has a gradient.

    The denominator counts the whole minibatch, so the split into ranks and microbatches changes nothing.
    """
    rollouts = [collection.rollouts[i] for i in chosen]
    num_tokens = sum(len(r.completion.token_ids) for r in rollouts)
    average, denominator = averaging(
        config.loss.average or learner.algorithm.average, num_tokens, len(rollouts), config.max_new_tokens
    )
    # Without a penalty or a critic a rollout of zero advantage has zero gradient: skip its forward pass.
    needed = config.kl.in_loss or learner.critic is not None
    active = [i for i in chosen if needed or bool((targets.columns["advantages"][i] != 0).any())]
    mine = active[runtime.ranks.part(len(active))]
    columns = {name: [values[i] for i in mine] for name, values in targets.columns.items()}
    for batch in batches(
        [collection.rollouts[i] for i in mine], columns, config.microbatch_tokens, fixed_shape=runtime.compile
    ):
        losses, value_losses = token_losses(learner, batch, config, runtime, tally)
        mask = batch.completion_mask.to(runtime.device)
        loss = average(losses, mask, denominator)
        tally.add(loss=float(loss.detach()))
        if value_losses is not None:
            # Values are averaged over tokens whatever the policy's average is.
            value = (value_losses * mask).sum() / num_tokens
            tally.add(value_loss=float(value.detach()))
            loss = loss + (config.critic.coef if learner.critic_optimizer is None else 1.0) * value
        loss.backward()
        tally.tokens += batch.num_tokens
    return bool(active)


def token_losses(
    learner: Learner, batch: Batch, config: RLConfig, runtime: Runtime, tally: Tally
) -> tuple[Tensor, Tensor | None]:
    """Policy loss per token (B, T), KL term included, and the value loss (B, T) where there is a critic."""
    row, mask = learner.algorithm, batch.completion_mask.to(runtime.device)
    column = {name: values.to(runtime.device) for name, values in batch.columns.items()}
    with runtime.autocast():
        states = batch_states(learner.policy, batch, runtime)
        logprobs = spread(
            batch, learner.policy.logprobs(states, batch.targets.to(runtime.device), config.temperature)[0]
        )
    low, high = config.clip
    ratio = row.ratio(logprobs, column["old_logprobs"], mask) if row.ratio else torch.ones_like(logprobs)
    losses = row.loss(logprobs, ratio, column["advantages"], low, high)
    if config.kl.in_loss:
        losses = losses + learner.kl_coef * _kl_term(
            learner, batch, states, logprobs, column, config, runtime
        )
    if row.ratio:
        _watch_ratio(tally, ratio.detach(), (logprobs.detach() - column["old_logprobs"]), mask, low, high)
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
    with runtime.autocast():
        logits = learner.policy.lm_head(states)
    with torch.no_grad():
        ref_logits = batch_logits(learner.reference, batch, runtime)
    return spread(batch, kl_exact(logits, ref_logits, config.temperature))


def _watch_ratio(
    tally: Tally, ratio: Tensor, difference: Tensor, mask: Tensor, low: float, high: float
) -> None:
    outside = ((ratio < 1 - low) | (ratio > 1 + high)) & mask
    tally.add(clipped=float(outside.sum()), ratio=float((ratio * mask).sum()))
    # KL(sampler || policy), whose samples these are.
    tally.add(kl_sampler=float((kl_k3(torch.zeros_like(difference), difference) * mask).sum()))
    tally.ratio_max = max(tally.ratio_max, float(ratio[mask].max()))


def _check_finite(norm: float, tally: Tally, step: int) -> None:
    losses = tally.sums.get("loss", 0.0)
    if not np.isfinite(norm) or not np.isfinite(losses):
        raise FloatingPointError(
            f"gradient norm is {norm} at step {step}, update {tally.updates + 1} (sum of losses so far {losses:.4g}, "
            f"largest ratio {tally.ratio_max:.4g}, {tally.tokens} tokens fitted)"
        )
