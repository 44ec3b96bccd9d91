"""Which problems a step takes."""

import numpy as np

from ..core.random import generator
from ..core.types import Problem


def problems_of_step(problems: list[Problem], prompts_per_step: int, step: int, seed: int) -> list[Problem]:
    """The problems of `step` (from 1): a fresh order each epoch, a function of (seed, step) alone."""
    first, count = (step - 1) * prompts_per_step, len(problems)
    chosen: list[Problem] = []
    order: np.ndarray | None = None
    for position in range(first, first + prompts_per_step):
        epoch, index = divmod(position, count)
        if order is None or index == 0:
            order = generator("rl order", seed, epoch).permutation(count)
        chosen.append(problems[int(order[index])])
    return chosen
