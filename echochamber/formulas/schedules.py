"""Step sizes and checkpoint steps as functions of the step alone; the adaptive KL coefficient. No torch."""

import math


def warmup_cosine(step: int, total: int, warmup: int, floor: float) -> float:
    """Factor on the peak rate at `step` (0-based) of `total`: linear warm-up, then a half cosine.

    f = (step + 1) / warmup while step < warmup, then floor + (1 - floor)·(1 + cos(pi·x)) / 2 with
    x = (step - warmup) / (total - warmup). Loshchilov and Hutter 2017, eq. 5, without restarts.
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(total - warmup, 1)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def log_spaced_steps(total: int, count: int) -> list[int]:
    """Step 0, about `count` steps evenly spaced in log from 1, and the last; no duplicates.

    >>> log_spaced_steps(60, 7)
    [0, 1, 2, 4, 8, 15, 30, 60]
    """
    if total < 1:
        return [0]
    points = {round(total ** (i / max(count - 1, 1))) for i in range(count)}
    return sorted({0, total} | {min(max(point, 1), total) for point in points})


def paper_grid(total: int, count: int) -> list[int]:
    """The paper's grid: 10^e · total for `count` exponents from -2.1 to 0, truncated, without zeros.

    Source: save_log_scale_count of the authors' code (rosieyzh/openrlhf-pretrain); step 0 is added.
    """
    exponents = [-2.1 + 2.1 * i / max(count - 1, 1) for i in range(count)]
    return sorted({0, total} | {int(10**e * total) for e in exponents})


def adapted_coefficient(coef: float, kl: float, target: float, gain: float) -> float:
    """coef·(1 + gain·clip(kl / target - 1, ±0.2)): the controller of Ziegler et al. 2019, section 2.2."""
    return coef * (1 + gain * min(max(kl / target - 1, -0.2), 0.2))
