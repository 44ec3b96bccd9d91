"""One checkpoint on one problem set: every headline number with its 95% interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .bootstrap import mean_interval, problem_weights, ratio_interval
from .counts import Counts
from .intervals import Interval, wilson
from .majority import maj_at_k
from .pass_at_k import pass_at_k, powers_up_to


class Summary(NamedTuple):
    """A row for `summary.json` and columns for `problems.parquet`."""

    row: dict[str, object]
    problems: dict[str, Sequence[object]]
    """Column -> one value per problem, in order of first appearance."""


def summarise_counts(
    counts: Counts, format_names: Sequence[str], ks: Sequence[int] | None = None, seed: int = 0
) -> Summary:
    """Every score of one checkpoint on one problem set, from counts per problem (`counts.count_completions`).

    `ks` defaults to 1, 2, 4 .. n. Averages are over problems. A score that cannot be estimated is None:
    k above the fewest samples of a problem, a format that nobody wrote. Sampled scores carry a bootstrap
    by problem, seeded by `seed`; scores of one completion per problem a Wilson interval.
    """
    problems = counts.problems
    fewest = int(counts.samples.min()) if problems else 0
    ks = list(ks) if ks is not None else powers_up_to(fewest)
    curves = _curves(counts, ks)
    weights = problem_weights(max(len(problems), 1), seed)
    intervals: dict[str, object] = {}
    row: dict[str, object] = {"num_problems": len(problems), "num_samples": fewest, "intervals": intervals}
    _add_greedy(row, intervals, [value for value in counts.greedy if value is not None])
    _add_accuracy(row, intervals, counts, weights)
    for name, curve in curves.items():
        row[name], intervals[name] = _curve_scores(curve, weights)
    row["formats"], intervals["formats"] = _format_scores(counts, list(format_names), weights)
    return Summary(row, _problem_columns(counts, curves))


def _curves(counts: Counts, ks: list[int]) -> dict[str, dict[int, np.ndarray]]:
    """Per problem values of pass@k and maj@k: name -> k -> (P,)."""
    majority = np.array(
        [
            maj_at_k(int(right), wrong, int(samples), ks)
            for samples, right, wrong in zip(counts.samples, counts.right, counts.wrong_votes, strict=True)
        ]
    ).reshape(len(counts.samples), len(ks))
    return {
        "pass@k": {k: pass_at_k(counts.samples, counts.right, k) for k in ks},
        "maj@k": {k: majority[:, i] for i, k in enumerate(ks)},
    }


def _add_greedy(row: dict[str, object], intervals: dict[str, object], greedy: list[bool]) -> None:
    row["greedy_accuracy"] = sum(greedy) / len(greedy) if greedy else None
    intervals["greedy_accuracy"] = _pair(wilson(sum(greedy), len(greedy)))


def _add_accuracy(
    row: dict[str, object], intervals: dict[str, object], counts: Counts, weights: np.ndarray
) -> None:
    """Mean over problems of the share of right samples, which is pass@1."""
    if not row["num_samples"]:
        row["accuracy"] = intervals["accuracy"] = None
        return
    single = bool(np.all(counts.samples == 1))
    per_problem = counts.right / counts.samples
    bounds = wilson(per_problem.sum(), per_problem.size) if single else mean_interval(weights, per_problem)
    row["accuracy"] = float(per_problem.mean())
    intervals["accuracy"] = _pair(bounds)


def _curve_scores(
    curve: dict[int, np.ndarray], weights: np.ndarray
) -> tuple[dict[str, float | None], dict[str, list[float] | None]]:
    """k -> mean over problems, and k -> its interval; None where a problem has too few samples."""
    means: dict[str, float | None] = {}
    bounds: dict[str, list[float] | None] = {}
    for k, values in curve.items():
        known = bool(np.all(np.isfinite(values))) and values.size > 0
        means[str(k)] = float(values.mean()) if known else None
        bounds[str(k)] = _pair(mean_interval(weights, values)) if known else None
    return means, bounds


def _format_scores(
    counts: Counts, names: list[str], weights: np.ndarray
) -> tuple[dict[str, dict[str, float | None]], dict[str, dict[str, list[float] | None]]]:
    """Share of completions and accuracy within, per format, and their intervals; shares add up to 1."""
    values: dict[str, dict[str, float | None]] = {}
    bounds: dict[str, dict[str, list[float] | None]] = {}
    total = counts.samples.sum()
    for i, name in enumerate(names):
        written, right = counts.written[:, i], counts.written_right[:, i]
        share = float(written.sum() / total) if total else None
        accuracy = float(right.sum() / written.sum()) if written.sum() else None
        values[name] = {"share": share, "accuracy": accuracy}
        bounds[name] = {
            "share": _pair(ratio_interval(weights, written, counts.samples)) if total else None,
            "accuracy": _pair(ratio_interval(weights, right, written)),
        }
    return values, bounds


def _problem_columns(counts: Counts, curves: dict[str, dict[int, np.ndarray]]) -> dict[str, Sequence[object]]:
    columns: dict[str, Sequence[object]] = {
        "problem_id": counts.problems,
        "num_samples": counts.samples.astype(int).tolist(),
        "num_correct": counts.right.astype(int).tolist(),
        "greedy_correct": counts.greedy,
    }
    for name, curve in curves.items():
        for k, values in curve.items():
            columns[name.replace("k", str(k))] = [v if np.isfinite(v) else None for v in values.tolist()]
    return columns


def _pair(bounds: Interval) -> list[float] | None:
    """An interval as JSON: [low, high], or None where it is not estimable."""
    return [float(bounds[0]), float(bounds[1])] if np.all(np.isfinite(bounds)) else None
