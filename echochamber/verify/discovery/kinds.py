"""Clusters of completions by HDBSCAN, and which of them a bootstrap over problems finds again."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import UserError
from ...core.random import generator
from .assign import CLEAR, settled
from .features import OfProblems, Structure, of_problems, structures, table

FEWEST_COMPLETIONS = 100
"""Below this a cluster of the smallest share would be a handful of completions."""
SMALLEST_SHARE = 0.05
"""Smallest share of the completions that makes a kind."""
NEIGHBOURS = 5
RESAMPLES = 20
STABLE = 0.85
"""Mean Jaccard similarity over resamples from which a kind is stable (Hennig 2007, clusterwise stability)."""
MARKERS = 2
"""Features that must tell two kinds apart."""


@dataclass(frozen=True)
class Kinds:
    """What was found: `labels` has -1 for completions of no kind; stability has one number per kind."""

    labels: np.ndarray
    """(N,) kind of each completion, the most frequent first."""
    stability: list[float]
    """Mean Jaccard similarity to the nearest cluster of each resample."""
    candidates: list[float]
    """Stability of every cluster of HDBSCAN, stable or not; one number where there was one cluster."""
    features: int
    """Features that varied."""
    of_problems: list[OfProblems]
    """Features that varied with the problem, and were left out."""


def find_kinds(texts: Sequence[str], problems: Sequence[str], seed: int = 0) -> Kinds:
    """Stable kinds of completions; fewer than two means that there are none.

    `problems`: id of each completion's problem; whole problems are resampled.
    `UserError` with fewer than `FEWEST_COMPLETIONS` completions, or without scikit-learn.
    """
    if len(texts) < FEWEST_COMPLETIONS:
        raise UserError(
            f"{len(texts)} completions are too few to find kinds in; at least {FEWEST_COMPLETIONS} are "
            "needed. Give more problems, or more samples of each"
        )
    read = structures(texts, problems)
    holds, names = table(read)
    labels = clustered(holds, read)
    count = int(labels.max()) + 1
    resamples = _resampled(read, seed) if count > 1 else []
    candidates = similarities(labels, resamples) if count > 1 else [1.0] * count
    labels, stability = _found_again(holds, read, labels, resamples)
    return Kinds(labels, stability, candidates, len(names), of_problems(read))


def _found_again(
    holds: np.ndarray, read: Sequence[Structure], labels: np.ndarray, resamples: Sequence["Resample"]
) -> tuple[np.ndarray, list[float]]:
    """(labels, stability) of the stable kinds; with fewer than two, -1 everywhere and none."""
    joined = splits_undone(holds, labels, resamples)
    labels = labels if joined is labels else settled(holds, read, joined)
    similarity = similarities(labels, resamples)
    kept = [kind for kind, one in enumerate(similarity) if one >= STABLE]
    kept.sort(key=lambda kind: -int((labels == kind).sum()))
    renamed = np.full(len(labels), -1)
    if len(kept) < 2:
        return renamed, []
    for new, kind in enumerate(kept):
        renamed[labels == kind] = new
    # What resamples do not find again is no kind of its own: its members join others, or none.
    if len(kept) < len(similarity):
        renamed = settled(holds, read, renamed)
    return renamed, [similarity[kind] for kind in kept]


def clustered(holds: np.ndarray, read: Sequence[Structure]) -> np.ndarray:
    """(N,) cluster of each row of (N, F) features; -1: of none. Clusters without clear markers are joined."""
    rows = len(holds)
    if not holds.shape[1]:
        return np.zeros(rows, dtype=int)
    try:
        cluster = importlib.import_module("sklearn.cluster")
    except ImportError:
        raise UserError("discover needs scikit-learn; install echochamber[discover]") from None
    smallest = max(int(SMALLEST_SHARE * rows), NEIGHBOURS + 1)
    model = cluster.HDBSCAN(
        min_cluster_size=smallest,
        min_samples=NEIGHBOURS,
        metric="precomputed",
        allow_single_cluster=True,
        copy=True,
    )
    # Features of one contrast come in groups of very unequal size; the root keeps small groups visible.
    found: np.ndarray = model.fit(np.sqrt(_differences(holds))).labels_
    return settled(holds, read, _joined(holds, found))


def _differences(holds: np.ndarray) -> np.ndarray:
    """(N, N) number of features in which two rows differ; whole numbers, so exact in float64."""
    ones = holds.astype(float)
    held = ones.sum(1)
    result: np.ndarray = held[:, None] + held[None] - 2 * ones @ ones.T
    return result


def _joined(holds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Join the two nearest clusters until each pair is told apart by `MARKERS` features."""
    labels = labels.copy()
    while True:
        kinds = [int(kind) for kind in np.unique(labels) if kind >= 0]
        markers, a, b = _nearest(holds, labels, kinds)
        if markers >= MARKERS:
            return np.array([kinds.index(label) if label >= 0 else -1 for label in labels])
        labels[labels == b] = a


def _nearest(holds: np.ndarray, labels: np.ndarray, kinds: Sequence[int]) -> tuple[int, int, int]:
    """(features that tell them apart, first, second) of the nearest two; `MARKERS` where there is one."""
    means = {kind: holds[labels == kind].mean(0) for kind in kinds}
    pairs = [
        (int((abs(means[a] - means[b]) >= CLEAR).sum()), a, b)
        for i, a in enumerate(kinds)
        for b in kinds[i + 1 :]
    ]
    return min(pairs, default=(MARKERS, -1, -1))


Resample = tuple[np.ndarray, np.ndarray]
"""(rows of a resample, their clusters in it)."""


def splits_undone(holds: np.ndarray, labels: np.ndarray, resamples: Sequence[Resample]) -> np.ndarray:
    """(N,) clusters, where the two nearest of those that resamples do not find again are joined, one by one.

    So parts of a kind that HDBSCAN splits in one sample and not in the next are one again, and a kind where
    resamples find their union.
    """
    while True:
        unstable = [kind for kind, one in enumerate(similarities(labels, resamples)) if one < STABLE]
        if len(unstable) < 2:
            return labels
        _, a, b = _nearest(holds, labels, unstable)
        labels = np.where(labels == b, a, np.where(labels > b, labels - 1, labels))


def similarities(labels: np.ndarray, resamples: Sequence[Resample]) -> list[float]:
    """Mean Jaccard similarity of each cluster to the cluster most like it in each resample; none without."""
    if not resamples:
        return []
    return [
        float(np.mean([_best_jaccard(labels[rows] == kind, again) for rows, again in resamples]))
        for kind in range(int(labels.max()) + 1)
    ]


def _resampled(read: Sequence[Structure], seed: int) -> list[Resample]:
    """Clusters of resamples of whole problems, features chosen anew."""
    stream = generator("discover", seed)
    names, group = np.unique(np.array([one.problem for one in read]), return_inverse=True)
    by_problem = [np.flatnonzero(group == i) for i in range(len(names))]
    result = []
    for _ in range(RESAMPLES):
        drawn = np.unique(stream.integers(0, len(names), len(names)))
        rows = np.concatenate([by_problem[i] for i in drawn])
        part = [read[i] for i in rows]
        result.append((rows, clustered(table(part)[0], part)))
    return result


def _best_jaccard(members: np.ndarray, labels: np.ndarray) -> float:
    """Similarity of a set of rows to the cluster most like it."""
    clusters = [labels == kind for kind in range(int(labels.max()) + 1)]
    return max((float((members & c).sum() / max((members | c).sum(), 1)) for c in clusters), default=0.0)
