"""Metrics of an RL step over all its rollouts, and a capped sample of their text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.formats import registered_formats
from ..core.metrics import read_metrics
from ..core.records import record, records_frame
from ..core.traits import registered_traits
from ..formulas.logprobs import kl_k3
from ..model.runtime import Runtime
from ..rollout.batch import Batch, batches
from ..rollout.collect import Collection, Rollout
from ..rollout.score import batch_logprobs
from ..stats.bootstrap import problem_weights
from ..stats.traits import count_traits, trait_scores
from .config import RLConfig
from .learner import Learner
from .targets import Targets, earned_rewards, has_signal, token_counts

Metrics = dict[str, float | None]
"""Name -> value of one step; None: not estimable."""
MONITORED = 32
"""Rollouts on which the policy is compared with sampler and base, before the update."""


def rollout_metrics(collection: Collection, targets: Targets) -> Metrics:
    """Reward, lengths, outcomes, formats (share, accuracy), traits and parts of the reward."""
    rollouts = collection.rollouts
    rewards = earned_rewards(rollouts)
    lengths = token_counts(rollouts)
    graded = [
        (r.verdict.format, r.verdict.correct, r.verdict.outcome, r.completion.truncated) for r in rollouts
    ]
    metrics: Metrics = {
        "reward/mean": float(np.nanmean(rewards)) if not np.isnan(rewards).all() else None,
        "reward/frac_zero_std": float((~has_signal(rewards, collection.samples_per_prompt)).mean()),
        "accuracy": float(np.mean([correct for _, correct, _, _ in graded])),
        "completion/length_mean": float(lengths.mean()),
        "completion/truncated": float(np.mean([truncated for *_, truncated in graded])),
        "grader/infrastructure": sum(outcome == "infrastructure" for _, _, outcome, _ in graded),
        "num_completions": len(rollouts),
        "num_counted": int(targets.counted.sum()),
        "num_tokens": int(lengths.sum()),
    }
    for name in registered_formats():
        written = [correct for found, correct, _, _ in graded if found == name]
        metrics[f"format/{name}/share"] = len(written) / len(rollouts)
        metrics[f"format/{name}/accuracy"] = float(np.mean(written)) if written else None
    return metrics | trait_metrics(rollouts) | part_metrics(rollouts)


def trait_metrics(rollouts: Sequence[Rollout]) -> Metrics:
    """`trait/NAME/rate`, `/accuracy_with` and `/accuracy_without`, each with `_low` and `_high`.

    The bounds are 95% intervals by bootstrap over the step's problems. {} where no trait is tracked.
    """
    traits = registered_traits()
    if not traits:
        return {}
    # Once through the rollouts, which may lie in files.
    seen = [
        (r.problem.id, r.verdict.correct, [row.holds(r.completion.text) for row in traits.values()])
        for r in rollouts
    ]
    holds = {name: [held[place] for _, _, held in seen] for place, name in enumerate(traits)}
    counts = count_traits([found for found, _, _ in seen], [correct for _, correct, _ in seen], holds)
    values, bounds = trait_scores(counts, list(traits), problem_weights(len(counts.samples), 0))
    metrics: Metrics = {}
    for name in traits:
        for quantity, value in values[name].items():
            low, high = bounds[name][quantity] or (None, None)
            key = f"trait/{name}/{quantity}"
            metrics |= {key: value, f"{key}_low": low, f"{key}_high": high}
    return metrics


def part_metrics(rollouts: Sequence[Rollout]) -> Metrics:
    """`reward/part/NAME`: mean of each part of a composed reward before its weight, where it is known."""
    found: dict[str, list[float]] = {}
    for rollout in rollouts:
        for name, value in rollout.parts.items():
            found.setdefault(name, []).append(value)
    return {f"reward/part/{name}": float(np.mean(found[name])) for name in sorted(found)}


@torch.no_grad()
def compare(
    learner: Learner, rollouts: Sequence[Rollout], config: RLConfig, runtime: Runtime
) -> dict[str, float]:
    """Means per completion token, before the update, over the first `MONITORED` rollouts.

    |trainer - sampler| log-probability, KL to the base by k3 (nats) and entropy (nats).
    """
    watched = rollouts[:MONITORED]
    tokens = sum(len(r.prompt_ids) + len(r.completion.token_ids) for r in watched)
    columns = {"old_logprobs": [torch.tensor(r.completion.logprobs) for r in watched]}
    at_once = config.microbatch_tokens if runtime.low_memory else 2 * tokens + 1024
    # Eager: compiling a second graph for 32 completions would cost more than it saves.
    with torch.compiler.set_stance("force_eager"):
        parts = [_compared(learner, batch, config, runtime) for batch in batches(watched, columns, at_once)]
    logprobs, old_logprobs, ref_logprobs, entropies = (torch.cat(part) for part in zip(*parts, strict=True))
    difference = (logprobs - old_logprobs).abs()
    return {
        "sampler/logprob_diff": float(difference.mean()),
        "sampler/logprob_diff_max": float(difference.max()),
        "policy/kl": float(kl_k3(logprobs, ref_logprobs).mean()),
        "policy/entropy": float(entropies.mean()),
        "policy/kl_coef": learner.kl_coef,
    }


def _compared(
    learner: Learner, batch: Batch, config: RLConfig, runtime: Runtime
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probabilities (N,) under policy, sampler and base, and the policy's entropies."""
    logprobs, entropies = batch_logprobs(
        learner.policy, batch, config.temperature, runtime, with_entropy=True
    )
    assert entropies is not None
    ref_logprobs, _ = batch_logprobs(learner.reference, batch, config.temperature, runtime)
    old_logprobs = batch.columns["old_logprobs"][batch.completion_mask].to(runtime.device)
    return logprobs, old_logprobs, ref_logprobs, entropies


def rollout_rows(
    collection: Collection, config: RLConfig, seed: int, step: int
) -> Iterator[dict[str, object]]:
    """Rows for `rollouts.parquet`: whole groups, as many as the cap allows."""
    whole = config.rollouts_kept // collection.samples_per_prompt * collection.samples_per_prompt
    for rollout in collection.rollouts[:whole]:
        completion = rollout.completion
        yield record(
            rollout.problem,
            rollout.verdict,
            completion.text,
            arm=config.algorithm,
            seed=seed,
            step=step,
            sample=rollout.sample,
            temperature=config.temperature,
            num_tokens=len(completion.token_ids),
            logprob=float(sum(completion.logprobs)),
            truncated=completion.truncated,
        )


def write_rollouts(source: Path, target: Path) -> None:
    """Turn the running log of rows into Parquet."""
    records_frame(read_metrics(source)).write_parquet(target)
