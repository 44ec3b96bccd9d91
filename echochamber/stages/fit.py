"""From graded rollouts to an update: advantages, minibatches, one exact gradient each."""

import numpy as np
import torch
from torch import Tensor

from ..core.errors import UserError
from ..core.random import generator
from ..formulas.logprobs import KL_ESTIMATORS, token_logprobs
from ..model.optimizer import Optimizer
from ..model.runtime import Runtime
from ..model.transformer import Transformer
from ..rollout.batch import Batch, batches
from ..rollout.collect import Collection, Rollout
from .algorithms import Algorithm
from .rl_config import RLConfig


def estimate(algorithm: Algorithm, collection: Collection) -> np.ndarray:
    """One advantage per rollout (B,), in the collection's order.

    A sample of unknown reward (the grader failed) takes its group's mean and so carries no signal.
    """
    rewards = np.array([np.nan if r.reward is None else r.reward for r in collection.rollouts])
    groups = rewards.reshape(-1, collection.samples_per_prompt)
    known = ~np.isnan(groups)
    means = np.where(known, groups, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    filled = np.where(known, groups, means[:, None])
    advantages = algorithm.advantages(torch.from_numpy(filled)).numpy()
    return np.where(known, advantages, 0.0).reshape(-1)


def batch_logprobs(model: Transformer, batch: Batch, temperature: float, runtime: Runtime) -> Tensor:
    """log pi of every completion token at the sampling temperature (B, T); 0 on padding."""
    mask = batch.completion_mask.to(runtime.device)
    chosen = token_logprobs(batch_logits(model, batch, runtime), batch.targets.to(runtime.device), temperature)
    return torch.zeros(mask.shape, device=runtime.device).masked_scatter(mask, chosen)


def batch_logits(model: Transformer, batch: Batch, runtime: Runtime) -> Tensor:
    """Logits (N, V) that predict each completion token; the output head sees no other position."""
    rows = batch.rows
    with runtime.autocast():
        states = model.hidden(rows.token_ids.to(runtime.device), rows.positions.to(runtime.device), rows.mask().to(runtime.device))
        return model.lm_head(states.flatten(0, 1)[batch.sources.to(runtime.device)])


def fit(
    policy: Transformer, reference: Transformer, optimizer: Optimizer, algorithm: Algorithm, collection: Collection,
    advantages: np.ndarray, config: RLConfig, runtime: Runtime, factor: float, stream: tuple[int, int],
) -> dict[str, float]:  # fmt: skip
    """One pass over the rollouts in minibatches; returns figures of the updates."""
    count = len(collection.rollouts)
    size = config.minibatch_samples or count
    # Sorted within a minibatch: neighbours share their prompt in packing, and sums do not mind.
    order = generator("minibatches", *stream).permutation(count) if size < count else np.arange(count)
    totals = {"loss": 0.0, "clipped": 0.0, "tokens": 0.0, "grad_norm": 0.0, "updates": 0.0}
    for start in range(0, count, size):
        chosen = np.sort(order[start : start + size])
        rollouts, weights = [collection.rollouts[i] for i in chosen], advantages[chosen]
        if accumulate(policy, reference, algorithm, rollouts, weights, config, runtime, totals):
            norm = optimizer.step(factor)
            if norm != norm:
                raise UserError(f"rl: gradient norm is {norm} at step {stream[1]}; lower rl.ARM.optimizer.lr")
            totals["grad_norm"] += norm
            totals["updates"] += 1
    updates = max(totals["updates"], 1)
    return {
        "policy/loss": totals["loss"] / updates,
        "policy/clip_frac": totals["clipped"] / max(totals["tokens"], 1),
        "policy/grad_norm": totals["grad_norm"] / updates,
        "policy/lr": config.optimizer.lr * factor,
        "policy/updates": totals["updates"],
    }


def accumulate(
    policy: Transformer, reference: Transformer, algorithm: Algorithm, rollouts: list[Rollout], advantages: np.ndarray,
    config: RLConfig, runtime: Runtime, totals: dict[str, float],
) -> bool:  # fmt: skip
    """Add the gradient of one minibatch, microbatch by microbatch; False when nothing in it has a gradient.

    The denominator counts the whole minibatch, so the split into microbatches changes nothing.
    """
    tokens = sum(len(r.completion.token_ids) for r in rollouts)
    denominator = tokens if algorithm.denominator == "tokens" else len(rollouts)
    # Without a penalty a rollout of zero advantage has zero gradient: skip its forward pass.
    active = [i for i in range(len(rollouts)) if advantages[i] != 0 or config.kl.coef > 0]
    weights = [float(advantages[i]) for i in active]
    for batch in batches([rollouts[i] for i in active], weights, config.microbatch_tokens, fixed_shape=runtime.compile):
        loss, clipped = batch_loss(policy, reference, algorithm, batch, denominator, config, runtime)
        loss.backward()
        totals["loss"] += float(loss.detach())
        totals["clipped"] += clipped
        totals["tokens"] += batch.num_tokens
    return bool(active)


def batch_loss(
    policy: Transformer, reference: Transformer, algorithm: Algorithm, batch: Batch, denominator: int,
    config: RLConfig, runtime: Runtime,
) -> tuple[Tensor, float]:  # fmt: skip
    """(scalar loss of this microbatch's share, number of tokens whose ratio is clipped)."""
    logprobs = batch_logprobs(policy, batch, config.temperature, runtime)
    mask, old = batch.completion_mask.to(runtime.device), batch.old_logprobs.to(runtime.device)
    values = algorithm.loss(logprobs, old, batch.advantages.to(runtime.device), config.clip_low, config.clip_high)
    if config.kl.coef > 0:
        with torch.no_grad():
            ref_logprobs = batch_logprobs(reference, batch, config.temperature, runtime)
        values = values + config.kl.coef * KL_ESTIMATORS[config.kl.estimator](logprobs, ref_logprobs)
    ratio = (logprobs.detach() - old).exp()
    outside = ((ratio < 1 - config.clip_low) | (ratio > 1 + config.clip_high)) & mask
    return algorithm.average(values, mask, denominator), float(outside.sum())
