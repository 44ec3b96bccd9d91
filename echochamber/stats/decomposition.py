"""How much of an accuracy gain is choosing better formats, doing them better, or both at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Part(NamedTuple):
    """One part of the gain, per problem (P,)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """Range over all values that an accuracy which nobody measured could have."""


class GainParts(NamedTuple):
    """The three parts add up to the accuracy gain, exactly."""

    choice: Part
    """Sum over formats of (change of share) x (accuracy before)."""
    skill: Part
    """Sum over formats of (share before) x (change of accuracy)."""
    interaction: Part
    """Sum over formats of (change of share) x (change of accuracy): more of what also improved."""


def split_gain(
    share_before: ArrayLike,
    accuracy_before: ArrayLike,
    share_after: ArrayLike,
    accuracy_after: ArrayLike,
    forced_before: ArrayLike | None = None,
    forced_after: ArrayLike | None = None,
) -> GainParts:
    """Split p_after - p_before, with p = sum_f share_f accuracy_f, per problem.

    Shapes: all (P, F), shares adding up to 1 over F. An accuracy is NaN where the format was not
    written; it is taken from forced decoding (`forced_*`, NaN allowed) where that was measured.
    What stays unknown on one side takes the other side's value (no change of skill shown) in the
    point estimate, and runs over [0, 1] in the bounds. The sum does not depend on it: an unwritten
    format has share 0 there. Kitagawa 1955 with the interaction apart (Winsborough and Dickinson 1971).
    """
    s0, s1 = np.asarray(share_before, dtype=float), np.asarray(share_after, dtype=float)
    p0, p1 = _filled(accuracy_before, forced_before), _filled(accuracy_after, forced_after)
    assert s0.shape == s1.shape == p0.shape == p1.shape, "shares and accuracies must have one shape (P, F)"
    unknown = np.isnan(p0) & np.isnan(p1)
    q0 = np.where(np.isnan(p0), np.where(unknown, 0.0, p1), p0)
    q1 = np.where(np.isnan(p1), np.where(unknown, 0.0, p0), p1)
    # Every part is linear in what is unknown, so its range lies between the two ends.
    ends = [
        _parts(s0, np.where(np.isnan(p0), fill, p0), s1, np.where(np.isnan(p1), fill, p1))
        for fill in (0.0, 1.0)
    ]
    return GainParts(
        *(
            Part(value.sum(1), np.minimum(first, second).sum(1), np.maximum(first, second).sum(1))
            for value, first, second in zip(_parts(s0, q0, s1, q1), *ends, strict=True)
        )
    )


def _parts(s0: np.ndarray, p0: np.ndarray, s1: np.ndarray, p1: np.ndarray) -> tuple[np.ndarray, ...]:
    """Choice, skill and interaction of each problem and format (P, F)."""
    return (s1 - s0) * p0, s0 * (p1 - p0), (s1 - s0) * (p1 - p0)


def _filled(measured: ArrayLike, forced: ArrayLike | None) -> np.ndarray:
    values = np.asarray(measured, dtype=float)
    return values if forced is None else np.where(np.isnan(values), np.asarray(forced, dtype=float), values)
