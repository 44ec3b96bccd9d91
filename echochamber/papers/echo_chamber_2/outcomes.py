"""What an arm ended at: the winner by greedy answers, top shares, falls of the reward."""

from collections.abc import Mapping

import numpy as np

from ...claims.declare import NotTestableError, Seeds
from ...claims.select import Arm, curve, end_shares, settings, top_share
from ...core.formats import OTHER
from ...core.study_tables import Tables

FEWEST_SHARE = 0.5
"""Greedy share from which a format has won; below it nobody has."""
SMOOTHED_STEPS = 5


def winners(tables: Tables, one: Arm) -> dict[int, str | None]:
    """seed -> the known format with the largest greedy share at the end, None where it is under a half."""
    last = settings(tables, one)["steps"]
    found: dict[int, dict[str, float]] = {}
    for key, by_seed in tables.scores.items():
        mixture, size, arm, _, problem_set, split, _, evaluation, quantity = key
        mine = (mixture, size, arm) == (one.mixture, one.size, one.arm) and not evaluation
        name = quantity.removeprefix("greedy_share/")
        if mine and name != quantity and (problem_set, split) == (tables.headline_set, "test"):
            for seed, steps in by_seed.items():
                if last in steps:
                    found.setdefault(seed, {})[name] = steps[last]
    if not found:
        raise NotTestableError(f"greedy format shares of {one} were not measured")
    return {seed: _winner(of) for seed, of in sorted(found.items())}


def _winner(of: Mapping[str, float]) -> str | None:
    known = {name: share for name, share in of.items() if name != OTHER}
    best = max(sorted(known), key=lambda name: known[name], default=None)
    return best if best is not None and known[best] >= FEWEST_SHARE else None


def winner_counts(tables: Tables, one: Arm) -> str:
    """`winner of MIXTURE/ARM: tinygsm in 5, nobody in 1`."""
    names = [name or "nobody" for name in winners(tables, one).values()]
    counts = ", ".join(f"{name} in {names.count(name)}" for name in sorted(set(names)))
    return f"winner of {one}: {counts}"


def end_top_share(tables: Tables, one: Arm) -> Seeds:
    """seed -> largest share of a known format among sampled completions at the end."""
    return {seed: top_share(of) for seed, of in end_shares(tables, one).items()}


def largest_fall(tables: Tables, one: Arm) -> Seeds:
    """seed -> largest fall of the training reward, a moving mean over steps, from its running maximum."""
    found: dict[int, float] = {}
    by_seed = tables.training.get((one.mixture, one.size, one.arm, "reward"), {})
    for seed, steps in sorted(by_seed.items()):
        rewards = np.array([value for _, value in sorted(steps.items())])
        if len(rewards) >= SMOOTHED_STEPS:
            smooth = np.convolve(rewards, np.full(SMOOTHED_STEPS, 1 / SMOOTHED_STEPS), mode="valid")
            found[seed] = float((np.maximum.accumulate(smooth) - smooth).max())
    if not found:
        raise NotTestableError(f"{one} has no training log of {SMOOTHED_STEPS} steps")
    return found


def greedy_gain(tables: Tables, one: Arm, problem_set: str | None = None) -> Seeds:
    """seed -> greedy pass@1 at the end minus at the base."""
    steps = curve(tables, one, "greedy", problem_set)
    return {seed: of[max(of)] - of[0] for seed, of in steps.items()}


def greedy_end(tables: Tables, one: Arm, problem_set: str | None = None) -> Seeds:
    """seed -> greedy pass@1 at the end."""
    return {seed: of[max(of)] for seed, of in curve(tables, one, "greedy", problem_set).items()}


def yes_no(value: bool) -> float:
    """1 for yes and 0 for no, as criteria on outcomes count them."""
    return 1.0 if value else 0.0
