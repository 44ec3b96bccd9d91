"""Selection or skill: how much of an accuracy gain is choosing better formats, how much doing them better."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Split(NamedTuple):
    """Per problem, (P,) each; selection + skill is the accuracy gain, exactly."""

    selection: np.ndarray
    """Sum over formats of (change of share) x (mean accuracy)."""
    skill: np.ndarray
    """Sum over formats of (mean share) x (change of accuracy)."""
    selection_low: np.ndarray
    selection_high: np.ndarray
    """Range of `selection` over all values that an accuracy which nobody measured could have."""


def split_gain(
    share_before: ArrayLike,
    accuracy_before: ArrayLike,
    share_after: ArrayLike,
    accuracy_after: ArrayLike,
    forced_before: ArrayLike | None = None,
    forced_after: ArrayLike | None = None,
) -> Split:
    """Split p_after - p_before, with p = sum_f share_f accuracy_f, per problem and symmetrically.

    Shapes: all (P, F), shares adding up to 1 over F. An accuracy is NaN where the format was not
    written; it is taken from forced decoding (`forced_*`, NaN allowed) where that was measured.
    What stays unknown on one side takes the other side's value (no change of skill shown) in the
    point estimate, and runs over [0, 1] in the bounds. The sum does not depend on it: an unwritten
    format has share 0 there. Kitagawa 1955 (two-factor standardisation), symmetric weights.
    """
    s0, s1 = np.asarray(share_before, dtype=float), np.asarray(share_after, dtype=float)
    p0, p1 = _filled(accuracy_before, forced_before), _filled(accuracy_after, forced_after)
    assert s0.shape == s1.shape == p0.shape == p1.shape, "shares and accuracies must have one shape (P, F)"
    unknown = np.isnan(p0) | np.isnan(p1)
    q0 = np.where(np.isnan(p0), np.where(np.isnan(p1), 0.0, p1), p0)
    q1 = np.where(np.isnan(p1), np.where(np.isnan(p0), 0.0, p0), p1)
    selection = (s1 - s0) * (q0 + q1) / 2
    skill = (s1 + s0) / 2 * (q1 - q0)
    known = np.where(np.isnan(p0), 0.0, p0) + np.where(np.isnan(p1), 0.0, p1)
    missing = np.isnan(p0).astype(float) + np.isnan(p1)
    edges = [(s1 - s0) * (known + fill * missing) / 2 for fill in (0.0, 1.0)]
    low = np.where(unknown, np.minimum(*edges), selection)
    high = np.where(unknown, np.maximum(*edges), selection)
    return Split(selection.sum(1), skill.sum(1), low.sum(1), high.sum(1))


def _filled(measured: ArrayLike, forced: ArrayLike | None) -> np.ndarray:
    values = np.asarray(measured, dtype=float)
    return values if forced is None else np.where(np.isnan(values), np.asarray(forced, dtype=float), values)
