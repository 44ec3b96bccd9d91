"""The bandit at the rate that fits the beginning of a run: what choosing formats alone would have reached."""

from functools import lru_cache
from math import ceil

import numpy as np

from ...analysis.kl_weight import bandit_advantage
from ...claims.declare import Seeds
from ...claims.select import Arm, base, base_shares, settings, top_share
from ...core.study_tables import Tables
from ...stats.forecast import Advantage, bandits_by_rate

RATES = tuple(float(rate) for rate in np.geomspace(0.1, 30, 14))
"""Step sizes of the logits that are tried."""
REPEATS, MOST_STEPS, FITTED_SHARE = 5, 2000, 0.1
"""Runs that are averaged; longer runs are followed up to here; part of the run that the rate is fitted on."""


def fitted_bandit(tables: Tables, one: Arm) -> Seeds:
    """seed -> the bandit's top share after the first epoch, at the rate that fits the run's first tenth.

    The bandit knows the base's shares and accuracies and how the algorithm compares rewards. The rate is the
    one whose mean path has the smallest squared distance to the shares of the training rollouts.
    """
    how = settings(tables, one)
    steps = min(round(how["steps_per_epoch"]), MOST_STEPS)
    start, found = base_shares(tables, one), {}
    names = sorted({name for of in start.values() for name in of})
    right = {name: base(tables, one, f"right/{name}") for name in names}
    for seed, of in start.items():
        shares = np.array([of[name] for name in names])
        hits = np.array([right[name].get(seed, 0.0) for name in names])
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracies = np.nan_to_num(hits / shares)
        size = (how["prompts_per_step"], how["samples_per_prompt"])
        advantage = bandit_advantage({"algorithm": how["algorithm"]})
        paths = _paths(tuple(shares.tolist()), tuple(accuracies.tolist()), steps, *size, advantage)
        fitted = ceil(FITTED_SHARE * how["steps"])
        seen = _rollout_shares(tables, one, seed, names, fitted)
        if len(seen):
            errors = ((paths[:, 1 : len(seen) + 1] - seen) ** 2).sum(axis=(1, 2))
            last = paths[int(errors.argmin()), -1]
            found[seed] = top_share(dict(zip(names, last.tolist(), strict=True)))
    return found


def _rollout_shares(tables: Tables, one: Arm, seed: int, names: list[str], steps: int) -> np.ndarray:
    """(steps, F): shares of the training rollouts in the first steps."""
    curves = [
        tables.training.get((one.mixture, one.size, one.arm, f"share/{name}"), {}).get(seed, {})
        for name in names
    ]
    count = min(steps, max((max(curve, default=0) for curve in curves), default=0))
    return np.array([[curve.get(step, 0.0) for curve in curves] for step in range(1, count + 1)])


@lru_cache(maxsize=1024)
def _paths(
    shares: tuple[float, ...],
    accuracies: tuple[float, ...],
    steps: int,
    prompts: int,
    samples: int,
    advantage: Advantage,
) -> np.ndarray:
    """(rates, steps + 1, F): the mean path at every rate; kept, since several claims ask for the same one."""
    start = np.array(shares), np.array(accuracies)
    runs = bandits_by_rate(*start, steps, prompts, samples, RATES, range(REPEATS), advantage)
    return np.asarray(runs.mean(axis=1))
