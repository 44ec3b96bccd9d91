"""Summary rows of several seeds become one row with intervals."""

from collections.abc import Sequence
from typing import Any

from ..stats.intervals import share_interval, t_interval
from ..stats.traits import QUANTITIES as TRAIT_QUANTITIES
from .study_folder import JsonObject

SCALARS = ("accuracy", "greedy_accuracy")
CURVES = ("pass@k", "maj@k")


def average_rows(rows: Sequence[JsonObject]) -> JsonObject:
    """One summary row for several seeds' rows of one checkpoint.

    One row keeps its own intervals (bootstrap by problem); more get Student's t over seeds. A number that
    some seed lacks (a format that died out there) is None: its mean over the remaining seeds would answer
    another question.
    """
    if len(rows) == 1:
        return _headline_parts(rows[0])
    averaged: JsonObject = {"intervals": {}}
    for name in SCALARS:
        averaged[name], averaged["intervals"][name] = _mean(rows, (name,))
    for name in CURVES:
        cells = {k: _mean(rows, (name, k)) for k in _keys(rows, name)}
        averaged[name], averaged["intervals"][name] = _apart(cells)
    averaged["formats"], averaged["intervals"]["formats"] = {}, {}
    for name in _keys(rows, "formats"):
        cells = {key: _mean(rows, ("formats", name, key)) for key in ("share", "accuracy")}
        averaged["formats"][name], averaged["intervals"]["formats"][name] = _apart(cells)
    if names := _keys(rows, "traits"):
        averaged["traits"], averaged["intervals"]["traits"] = {}, {}
        for name in names:
            cells = {key: _mean(rows, ("traits", name, key)) for key in TRAIT_QUANTITIES}
            averaged["traits"][name], averaged["intervals"]["traits"][name] = _apart(cells)
    return averaged


def _headline_parts(row: JsonObject) -> JsonObject:
    intervals = row.get("intervals") or {}
    parts: JsonObject = {name: row.get(name) for name in SCALARS} | {
        name: row.get(name) or {} for name in CURVES
    }
    traits = {"traits": row["traits"]} if row.get("traits") else {}
    return parts | {"formats": row["formats"], "intervals": intervals} | traits


def _keys(rows: Sequence[JsonObject], name: str) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.get(name) or {}))


def at(row: JsonObject | None, path: Sequence[str]) -> Any:
    """The value at `path` in nested blocks, None where a part of the way is missing."""
    value: object = row
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


Mean = tuple[float | None, list[float] | None]


def _apart(cells: dict[str, Mean]) -> tuple[dict[str, float | None], dict[str, list[float] | None]]:
    return {k: value for k, (value, _) in cells.items()}, {k: bounds for k, (_, bounds) in cells.items()}


def _mean(rows: Sequence[JsonObject], path: Sequence[str]) -> Mean:
    values = [at(row, path) for row in rows]
    if any(not isinstance(value, int | float) for value in values):
        return None, None
    return sum(values) / len(values), seed_interval(values, [at(row, ("intervals", *path)) for row in rows])


def seed_interval(
    values: Sequence[float],
    within: Sequence[list[float] | None],
    clip: tuple[float, float] | None = (0.0, 1.0),
) -> list[float] | None:
    """Student's t over seeds; for shares (`clip` to their range) its form that holds near 0 and 1.

    Seeds that agree exactly show no spread, and t would claim certainty; then the hull of the
    intervals within each seed is given, where all are known.
    """
    if max(values) > min(values):
        low, high = t_interval(values) if clip is None else share_interval(values)
        return [low, high] if clip is None else [max(clip[0], low), min(clip[1], high)]
    known = [bounds for bounds in within if bounds]
    if len(known) < len(values):
        return None
    return [min(bounds[0] for bounds in known), max(bounds[1] for bounds in known)]


def top_format(row: JsonObject) -> str | None:
    """The format with the largest share, None where no share is known."""
    shares = {name: cell.get("share") or 0.0 for name, cell in row["formats"].items()}
    return max(shares, key=lambda name: shares[name]) if any(shares.values()) else None
