"""The kind of a completion that stands between clusters, or begins as one kind and ends as another."""

from collections.abc import Sequence

import numpy as np

from .features import Structure, useful

CLEAR = 0.9
"""Least difference of a marker's share between two kinds; the beginning of a line is as clear."""
NEAR = 0.7
"""A completion between clusters joins the nearest where it is this much nearer than the next."""


def settled(holds: np.ndarray, read: Sequence[Structure], labels: np.ndarray) -> np.ndarray:
    """(N,) labels after the beginnings of lines have decided, then the distances to the clusters' means.

    `holds`: (N, F) features; `labels`: (N,) clusters, -1 for none.
    """
    if int(labels.max(initial=-1)) < 1:
        return labels
    told = told_by_beginning(read, labels)
    return nearest_mean(holds, np.where(told >= 0, told, labels))


def told_by_beginning(read: Sequence[Structure], labels: np.ndarray) -> np.ndarray:
    """(N,) kind that the first telling line of a completion has, -1 where none tells.

    A model chooses its way of answering early and one token after another; a small one may lose it later.
    The beginning of a line tells a kind where it is ten times as frequent in that kind as in each other one.
    """
    parts = [[part for line in one.beginnings for part in line] for one in read]
    holds, names = useful(parts, [one.problem for one in read])
    shares = np.array([holds[labels == kind].mean(0) for kind in range(int(labels.max()) + 1)])
    second, first = np.sort(shares, axis=0)[-2:]
    clear = (first > 0) & (second <= (1 - CLEAR) * first)
    kinds = {name: int(kind) for name, kind in zip(names, shares.argmax(0), strict=True)}
    telling = {name: kinds[name] for name, tells in zip(names, clear, strict=True) if tells}
    return np.array([next((telling[part] for part in row if part in telling), -1) for row in parts])


def nearest_mean(holds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) labels where rows of no cluster join the nearest mean, if that is clearly the nearest."""
    count, apart = int(labels.max()) + 1, labels < 0
    if not apart.any():
        return labels
    means = np.array([holds[labels == kind].mean(0) for kind in range(count)])
    distances = abs(holds[apart][:, None, :] - means[None]).sum(-1)
    nearest = np.sort(distances, axis=1)
    labels = labels.copy()
    labels[apart] = np.where(nearest[:, 0] <= NEAR * nearest[:, 1], distances.argmin(1), -1)
    return labels
