"""Do things that belong together lie closer than things that do not? A test by permutation of the pairs."""

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike

from ..core.random import generator

MOST_LISTED, DRAWN = 8, 20_000
"""Up to so many pairs all permutations are listed; beyond, so many are drawn."""


def matched_closer(distances: ArrayLike, seed: int = 0) -> float:
    """p-value: the share of permutations whose mean distance is at most that of the true pairs.

    Shape: distances (N, N), entry (i, j) between the first part of pair i and the second of pair j, so that
    the diagonal has the true pairs. The identity counts as a permutation, so p is at least 1 / N!.
    NaN for fewer than two pairs. Fisher 1935, "The design of experiments", section 21.
    """
    table = np.asarray(distances, dtype=float)
    count = len(table)
    assert table.shape == (count, count), f"distances have shape {table.shape}, expected a square"
    if count < 2:
        return float("nan")
    if count <= MOST_LISTED:
        orders = np.array(list(permutations(range(count))))
    else:
        stream = generator("permutations of pairs", seed, count)
        orders = np.array([np.arange(count), *(stream.permutation(count) for _ in range(DRAWN))])
    means = table[np.arange(count), orders].mean(axis=1)
    return float((means <= np.trace(table) / count + 1e-12).mean())
