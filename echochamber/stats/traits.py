"""Rate of each trait, and accuracy with and without it, with intervals by problem."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .bootstrap import ratio_interval

QUANTITIES = ("rate", "accuracy_with", "accuracy_without")
Values = dict[str, dict[str, float | None]]
"""Trait -> quantity -> value; None: not estimable."""
Bounds = dict[str, dict[str, list[float] | None]]
"""Trait -> quantity -> 95% interval."""


class TraitCounts(NamedTuple):
    """Completions per problem; P problems, T traits. Traits may overlap, so rows do not add up."""

    samples: np.ndarray
    """(P,)"""
    right: np.ndarray
    """(P,)"""
    held: np.ndarray
    """(P, T) completions with each trait."""
    held_right: np.ndarray
    """(P, T) correct completions with each trait."""


def count_traits(
    problem_ids: Sequence[str], correct: Sequence[bool], holds: Mapping[str, Sequence[bool]]
) -> TraitCounts:
    """Counts of N completions in any order; problems in order of first appearance."""
    places = {name: i for i, name in enumerate(dict.fromkeys(problem_ids))}
    rows = np.array([places[name] for name in problem_ids], dtype=int)
    right = np.array(correct, dtype=bool)
    marks = np.array([list(column) for column in holds.values()], dtype=bool).reshape(len(holds), len(rows)).T

    def summed(values: np.ndarray) -> np.ndarray:
        total = np.zeros((len(places), *values.shape[1:]))
        np.add.at(total, rows, values.astype(float))
        return total

    return TraitCounts(
        summed(np.ones(len(rows))), summed(right), summed(marks), summed(marks & right[:, None])
    )


def join_trait_counts(parts: Sequence[TraitCounts]) -> TraitCounts:
    """Counts of several sets that share no problem, in their order."""
    return TraitCounts(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def trait_scores(counts: TraitCounts, names: Sequence[str], weights: np.ndarray) -> tuple[Values, Bounds]:
    """Scores of each trait in the order of `names`; the shape of `weights` is (R, P), see `problem_weights`.

    Rates and accuracies are over completions. Intervals resample whole problems. The two accuracies do not
    compare like with like: harder problems may call for a trait more often.
    """
    values: Values = {}
    bounds: Bounds = {}
    for i, name in enumerate(names):
        held, held_right = counts.held[:, i], counts.held_right[:, i]
        ratios = {
            "rate": (held, counts.samples),
            "accuracy_with": (held_right, held),
            "accuracy_without": (counts.right - held_right, counts.samples - held),
        }
        values[name] = {key: _ratio(top, bottom) for key, (top, bottom) in ratios.items()}
        bounds[name] = {key: _bounds(weights, top, bottom) for key, (top, bottom) in ratios.items()}
    return values, bounds


def _ratio(top: np.ndarray, bottom: np.ndarray) -> float | None:
    return float(top.sum() / bottom.sum()) if bottom.sum() else None


def _bounds(weights: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> list[float] | None:
    """An interval as JSON, None where it is not estimable."""
    low, high = ratio_interval(weights, top, bottom)
    return [float(low), float(high)] if np.isfinite(low) and np.isfinite(high) else None
