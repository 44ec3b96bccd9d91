"""The null model of a collapse: a bandit with the base's shares and accuracies and the arm's advantage."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from ..stats.forecast import Advantage, bandits_by_rate
from .averages import at
from .kl_weight import bandit_advantage
from .runs import Run, problem_sets, rl_config, rollout_size
from .study_folder import JsonObject, StoredStudy

NULL_SEEDS, NULL_STEPS, NULL_RATES = range(5), 2000, (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
MAX_POINTS = 600
"""Points per dense curve; longer logs are thinned evenly, first and last row kept."""


def null_path(study: StoredStudy, run: Run, names: list[str]) -> dict[str, list[float]] | None:
    """Shares that a bandit on formats alone reaches at each logged step: the null model of a collapse.

    It knows the base's shares and accuracies on the first problem set, and how the arm's algorithm compares
    rewards. Its learning rate means nothing to a language model, so the rate of `NULL_RATES` that fits the
    run's own shares best is taken: the null gets every advantage. None without a base evaluation, without RL,
    or past `NULL_STEPS` steps.
    """
    sets = problem_sets([run])
    base, dense = run.row(sets[0], 0) if sets else None, thin(run.dense)
    if base is None or not dense or dense[-1]["step"] > NULL_STEPS:
        return None
    shares = np.array([at(base, ("formats", name, "share")) or 0.0 for name in names])
    accuracies = np.array([at(base, ("formats", name, "accuracy")) or 0.0 for name in names])
    if shares.sum() <= 0:
        return None
    config = rl_config(study, run.arm)
    steps, size, advantage = [row["step"] for row in dense], rollout_size(config), bandit_advantage(config)
    seen = np.array([[row.get(f"format/{name}/share") or 0.0 for name in names] for row in dense])
    start = tuple((shares / shares.sum()).tolist()), tuple(accuracies.tolist())
    paths = list(_bandit_paths(*start, steps[-1], *size, advantage)[:, steps])
    best = min(paths, key=lambda path: float(((path - seen) ** 2).sum()))
    return {name: [round(float(share), 4) for share in best[:, i]] for i, name in enumerate(names)}


@lru_cache(maxsize=64)
def _bandit_paths(
    shares: tuple[float, ...],
    accuracies: tuple[float, ...],
    steps: int,
    prompts: int,
    samples: int,
    advantage: Advantage,
) -> np.ndarray:
    """Shares at every rate, averaged over seeds: (rates, steps + 1, F). Arms of one base often share them."""
    a, p = np.array([shares, accuracies])
    drawn = bandits_by_rate(a, p, steps, prompts, samples, NULL_RATES, NULL_SEEDS, advantage)
    return np.asarray(drawn.mean(axis=1))


def null_end(path: Mapping[str, Sequence[float]], steps: Sequence[int], last: int) -> dict[str, float]:
    """Format -> the null model's share at step `last`, or at the logged step nearest before it.

    >>> null_end({"a": [0.2, 0.6, 0.9]}, [1, 2, 4], 3)
    {'a': 0.6}
    """
    place = max(bisect_right(steps, last) - 1, 0)
    return {name: float(shares[place]) for name, shares in path.items()} if steps else {}


def thin(rows: Sequence[JsonObject], most: int = MAX_POINTS) -> list[JsonObject]:
    """At most about `most` rows, evenly spaced, the first and the last among them."""
    stride = -(-len(rows) // most) if rows else 1
    kept = list(rows[::stride])
    return kept if not rows or kept[-1] is rows[-1] else [*kept, rows[-1]]
