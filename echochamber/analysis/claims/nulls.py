"""The bandit that knows only the base's shares and accuracies, trained for as many steps as the run."""

import numpy as np

from ...stats.forecast import bandit
from .declare import Seeds
from .select import Arm, base, base_shares, settings
from .tables import Tables

RATE, REPEATS, MOST_STEPS = 1.0, 5, 2000
"""Step size of the bandit's logits; runs that are averaged; longer runs are forecast up to here."""


def bandit_top_share(tables: Tables, one: Arm) -> Seeds:
    """seed -> the bandit's largest share after the first epoch's steps (mean of `REPEATS` runs)."""
    how = settings(tables, one)
    found: dict[int, float] = {}
    steps = min(round(how["steps_per_epoch"]), MOST_STEPS)
    start = base_shares(tables, one)
    accuracy = {name: base(tables, one, f"right/{name}") for name in sorted({name for of in start.values() for name in of})}
    for seed, of in start.items():
        names = sorted(of)
        written = np.array([of[name] for name in names])
        right = np.array([accuracy[name].get(seed, 0.0) for name in names])
        with np.errstate(invalid="ignore", divide="ignore"):
            p = np.nan_to_num(right / written)
        size = (how["prompts_per_step"], how["samples_per_prompt"])
        paths = [bandit(written, p, steps, *size, RATE, repeat)[-1] for repeat in range(REPEATS)]
        found[seed] = float(np.mean(paths, axis=0).max())
    return found
