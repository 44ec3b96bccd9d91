"""What simulated runs say of the end of RL: who wins, final shares, the step of a collapse, the gain.

Axes: R runs, S steps, P problems, F behaviours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.formats import OTHER
from ..stats.decomposition import split_gain
from ..stats.pass_at_k import powers_up_to
from .behaviour_table import BehaviourTable
from .simulate import Path

COLLAPSED = 0.9
"""Top share above which a policy has collapsed."""
SURE = 2 / 3
"""Probability of the likeliest winner under which the answer is "cannot say"."""
LEVEL = 0.9
"""Of the intervals."""


@dataclass(frozen=True)
class SimulatedEstimate:
    """Mean over runs, and the interval in which `LEVEL` of the runs lie."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> "SimulatedEstimate":
        """Of one number per run."""
        # Weibull's quantiles: a further run lies between them as often as `LEVEL` says, from 19 runs on.
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="weibull")
        return cls(float(np.mean(values)), float(low), float(high))


@dataclass(frozen=True)
class Outcome:
    """The forecast of one arm."""

    behaviours: tuple[str, ...]
    win_probability: dict[str, float]
    """Behaviour -> probability that it has the top share at the end; they add up to 1."""
    final_shares: dict[str, SimulatedEstimate]
    accuracy_before: SimulatedEstimate
    accuracy_after: SimulatedEstimate
    choice: SimulatedEstimate
    """Part of the gain in accuracy that is choice of behaviours at their accuracy before."""
    skill: SimulatedEstimate
    """Part that is better answers within behaviours at their shares before."""
    interaction: SimulatedEstimate
    collapse_probability: float
    """Share of runs whose top share passes `COLLAPSED`."""
    collapse_step: SimulatedEstimate | None
    """Step at which it does, over the runs in which it does."""
    pass_at_k: dict[int, tuple[SimulatedEstimate, SimulatedEstimate]]
    """k -> before and after."""
    maj_at_k: dict[int, tuple[SimulatedEstimate, SimulatedEstimate]]
    """k -> before and after; empty where completions have no answers to vote with."""
    share_paths: dict[str, list[SimulatedEstimate]]
    """Behaviour -> its share after each step, 0 being the base."""
    runs: int

    @property
    def winner(self) -> str | None:
        """The likeliest winner; None where no behaviour is likely enough to say."""
        best = max(self.win_probability, key=lambda name: self.win_probability[name])
        return best if self.win_probability[best] >= SURE else None


def outcome_of(table: BehaviourTable, paths: Sequence[Path], most_samples: int) -> Outcome:
    """Summary of simulated runs on the table. `most_samples`: the largest k of pass@k and maj@k."""
    behaviours, votes = table.behaviours, table.wrong_answers
    known = [i for i, name in enumerate(behaviours) if name != OTHER]
    final = np.array([path.shares[-1] for path in paths])
    winners = [known[int(row[known].argmax())] for row in final]
    # Half a win for everyone together: no number of runs makes a behaviour impossible.
    wins = {i: (winners.count(i) + 0.5 / len(known)) / (len(paths) + 0.5) for i in known}
    steps = [_first_above(path.shares[:, known].max(1)) for path in paths]
    collapsed = [step for step in steps if step is not None]
    parts = [_gain_parts(path) for path in paths]
    before = [_per_problem(path.base_shares, path.base_accuracies) for path in paths]
    after = [_per_problem(path.final_shares, path.final_accuracies) for path in paths]
    choice, skill, interaction = (SimulatedEstimate.of([part[i] for part in parts]) for i in range(3))
    return Outcome(
        behaviours,
        {behaviours[i]: wins[i] for i in known},
        {name: SimulatedEstimate.of(final[:, i]) for i, name in enumerate(behaviours)},
        SimulatedEstimate.of([a.mean() for a in before]),
        SimulatedEstimate.of([a.mean() for a in after]),
        choice,
        skill,
        interaction,
        len(collapsed) / len(paths),
        SimulatedEstimate.of(collapsed) if collapsed else None,
        _before_and_after(before, after, most_samples, _pass),
        {} if votes is None else _before_and_after(before, after, most_samples, votes.maj_at_k),
        {
            name: [
                SimulatedEstimate.of(step[:, i])
                for step in np.array([path.shares for path in paths]).swapaxes(0, 1)
            ]
            for i, name in enumerate(behaviours)
        },
        len(paths),
    )


def _first_above(top: np.ndarray) -> int | None:
    above = np.flatnonzero(top > COLLAPSED)
    return int(above[0]) if len(above) else None


def _per_problem(shares: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """Accuracy (P,) of a policy that chooses by `shares` and answers by `accuracies`."""
    return np.asarray((shares * accuracies).sum(1))


def _before_and_after(
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    most: int,
    score: Callable[[np.ndarray, int], float],
) -> dict[int, tuple[SimulatedEstimate, SimulatedEstimate]]:
    """k -> a score of accuracies (P,) before and after, over the runs."""
    return {
        k: (
            SimulatedEstimate.of([score(a, k) for a in before]),
            SimulatedEstimate.of([score(a, k) for a in after]),
        )
        for k in powers_up_to(most)
    }


def _pass(accuracy: np.ndarray, k: int) -> float:
    """Chance that at least one of k independent samples is right, averaged over problems."""
    return float((1 - (1 - accuracy) ** k).mean())


def _gain_parts(path: Path) -> tuple[float, float, float]:
    parts = split_gain(path.base_shares, path.base_accuracies, path.final_shares, path.final_accuracies)
    choice, skill, interaction = (float(part.value.mean()) for part in parts)
    return choice, skill, interaction
