"""pass@k: the chance that at least one of k completions is right."""

import numpy as np
from numpy.typing import ArrayLike


def pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: int) -> np.ndarray:
    """Unbiased pass@k of each problem: 1 - C(n - c, k) / C(n, k).

    Shapes: num_samples n and num_correct c broadcast to (P,) -> (P,) in [0, 1]. A problem with
    fewer than k samples is not estimable: NaN, never a guess. Chen et al. 2021 (2107.03374), eq. 1,
    as a product of k ratios, so that no binomial coefficient overflows.
    """
    assert k >= 1, f"k is {k}, expected at least 1"
    n, c = np.broadcast_arrays(np.asarray(num_samples, dtype=float), np.asarray(num_correct, dtype=float))
    assert np.all((c >= 0) & (c <= n)), "num_correct must lie between 0 and num_samples"
    all_wrong = np.ones(n.shape)
    for drawn in range(k):
        left = np.maximum(n - drawn, 1.0)
        all_wrong = all_wrong * np.clip((n - c - drawn) / left, 0.0, 1.0)
    return np.where(n >= k, 1.0 - all_wrong, np.nan)


def powers_up_to(num_samples: int) -> list[int]:
    """The k at which curves are reported: 1, 2, 4 ... and `num_samples` itself.

    >>> powers_up_to(12)
    [1, 2, 4, 8, 12]
    """
    powers = [2**i for i in range(num_samples.bit_length()) if 2**i <= num_samples]
    return powers if not powers or powers[-1] == num_samples else [*powers, num_samples]
