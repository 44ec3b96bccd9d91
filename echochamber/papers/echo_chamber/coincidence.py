"""When the format shifts, when accuracy rises, and how near the two are in curves of different seeds.

All seeds share one schedule, so early changes are the largest in each of them. Pairs of curves from different
seeds are the null model: what is as near there is the schedule's doing.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...claims.declare import NotTestableError, Seeds
from ...claims.select import Arm, curve, shares, variation
from ...core.study_tables import Tables
from ...stats.permutation import matched_closer

SMOOTHED = 3
"""Steps of the moving mean over training rollouts."""
FEWEST_INTERVALS = 3


class Peaks(NamedTuple):
    """Where each of two curves changes most."""

    shift: float
    """Index of the largest change of shares (total variation)."""
    gain: float
    """Index of the largest gain of accuracy."""


def checkpoint_peaks(tables: Tables, one: Arm) -> tuple[dict[int, Peaks], int]:
    """seed -> intervals between evaluated checkpoints with the largest changes; the number of intervals."""
    accuracy, written = curve(tables, one, "accuracy"), shares(tables, one)
    found: dict[int, Peaks] = {}
    count = 0
    for seed in sorted(set(accuracy) & set(written)):
        steps = [step for step in sorted(accuracy[seed]) if step in written[seed]]
        moved = [variation(written[seed][a], written[seed][b]) for a, b in pairwise(steps)]
        gained = [accuracy[seed][b] - accuracy[seed][a] for a, b in pairwise(steps)]
        if len(moved) >= FEWEST_INTERVALS:
            found[seed], count = Peaks(float(np.argmax(moved)), float(np.argmax(gained))), len(moved)
    if not found:
        raise NotTestableError(f"{one} has fewer than three intervals between evaluated checkpoints")
    return found, count


def rollout_peaks(tables: Tables, one: Arm) -> dict[int, Peaks]:
    """seed -> training steps of the largest changes, from rollouts smoothed over `SMOOTHED` steps.

    Equal changes share their place at the midpoint of the first and the last.
    """
    curves = {
        quantity: by_seed
        for (mixture, size, name, quantity), by_seed in tables.training.items()
        if (mixture, size, name) == (one.mixture, one.size, one.arm)
    }
    names = sorted(quantity for quantity in curves if quantity.startswith("share/"))
    found: dict[int, Peaks] = {}
    for seed, rewards in sorted(curves.get("reward", {}).items()):
        steps = sorted(step for step in rewards if all(step in curves[q].get(seed, {}) for q in names))
        if len(steps) >= SMOOTHED + FEWEST_INTERVALS and names:
            written = np.array([[curves[q][seed][step] for q in names] for step in steps])
            shift = np.abs(np.diff(_smoothed(written), axis=0)).sum(axis=1) / 2
            gain = np.diff(_smoothed(np.array([[rewards[step]] for step in steps]))[:, 0])
            found[seed] = Peaks(_midpoint(shift), _midpoint(gain))
    return found


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Moving mean over `SMOOTHED` rows, without padding: (S, F) -> (S - SMOOTHED + 1, F)."""
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
    return np.asarray((sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED)


def _midpoint(changes: np.ndarray) -> float:
    largest = np.flatnonzero(changes >= changes.max() - 1e-12)
    return float(largest[0] + largest[-1]) / 2


def distances(peaks: Mapping[int, Peaks]) -> Seeds:
    """seed -> distance between its own two peaks."""
    return {seed: abs(one.shift - one.gain) for seed, one in peaks.items()}


def mismatched(peaks: Mapping[int, Peaks]) -> list[float]:
    """Distances between the shift of one seed and the gain of another, over all ordered pairs of seeds."""
    return [abs(a.shift - b.gain) for i, a in peaks.items() for j, b in peaks.items() if i != j]


def permutation_p(peaks: Mapping[int, Peaks]) -> float:
    """p-value of the hypothesis that a seed's own curves are no nearer than those of different seeds."""
    shift, gain = (np.array([getattr(one, part) for one in peaks.values()]) for part in Peaks._fields)
    return matched_closer(np.abs(shift[:, None] - gain))


def chance_rate(peaks: Mapping[int, Peaks], near: float) -> str:
    """The null model in words: how often curves of different seeds are as near."""
    others = mismatched(peaks)
    if not others:
        return "one seed alone has no mismatched pair to compare with"
    hits = sum(distance <= near for distance in others)
    own = list(distances(peaks).values())
    return (
        f"the shift of one seed and the gain of another are at most {near:g} apart in {hits} of "
        f"{len(others)} pairs; mean distance {np.mean(others):.2f}, in the same seed {np.mean(own):.2f} "
        f"(permutation p {permutation_p(peaks):.2f})"
    )
