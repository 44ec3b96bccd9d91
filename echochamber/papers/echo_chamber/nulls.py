"""The bandit on the base's shares and accuracies, with the algorithm's own advantage, for the run's steps."""

from functools import lru_cache

import numpy as np

from ...analysis.kl_weight import bandit_advantage
from ...claims.declare import Seeds
from ...claims.select import Arm, base, base_shares, settings, top_share
from ...core.study_tables import Tables
from ...stats.forecast import Advantage, bandits_by_rate

RATE, REPEATS, MOST_STEPS = 1.0, 5, 2000
"""Step size of the bandit's logits; runs that are averaged; longer runs are forecast up to here."""


def bandit_top_share(tables: Tables, one: Arm) -> Seeds:
    """seed -> the bandit's largest share of a known format after the first epoch's steps."""
    return {
        seed: top_share({name: path[-1] for name, path in of.items()})
        for seed, of in bandit_paths(tables, one).items()
    }


def bandit_paths(tables: Tables, one: Arm) -> dict[int, dict[str, np.ndarray]]:
    """seed -> format -> the bandit's share at every step of the first epoch (mean of `REPEATS` runs)."""
    how = settings(tables, one)
    advantage = bandit_advantage({"algorithm": how["algorithm"]})
    found: dict[int, dict[str, np.ndarray]] = {}
    steps = min(round(how["steps_per_epoch"]), MOST_STEPS)
    start = base_shares(tables, one)
    accuracy = {
        name: base(tables, one, f"right/{name}")
        for name in sorted({name for of in start.values() for name in of})
    }
    for seed, of in start.items():
        names = sorted(of)
        written = np.array([of[name] for name in names])
        right = np.array([accuracy[name].get(seed, 0.0) for name in names])
        with np.errstate(invalid="ignore", divide="ignore"):
            p = np.nan_to_num(right / written)
        size = (how["prompts_per_step"], how["samples_per_prompt"])
        start_at = tuple(written.tolist()), tuple(p.tolist())
        mean = np.mean(_paths(*start_at, steps, *size, advantage), axis=0)
        found[seed] = {name: mean[:, i] for i, name in enumerate(names)}
    return found


@lru_cache(maxsize=4096)
def _paths(
    shares: tuple[float, ...],
    accuracies: tuple[float, ...],
    steps: int,
    prompts: int,
    samples: int,
    advantage: Advantage,
) -> np.ndarray:
    """`REPEATS` runs of the bandit, kept: several claims and every split of the seeds ask for the same."""
    start = np.array(shares), np.array(accuracies)
    return bandits_by_rate(*start, steps, prompts, samples, [RATE], range(REPEATS), advantage)[0]
