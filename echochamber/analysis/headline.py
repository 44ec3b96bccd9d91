"""The main finding as numbers: what the top of the page says, before any words (`page_words`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .averages import at, average_rows, seed_interval, top_format
from .runs import Run, ends
from .study_folder import JsonObject

COLLAPSED = 0.9
"""From this share on one format has taken over (the criterion for claim 1, fixed before any run)."""

Measure = Literal["share", "accuracy", "pass@k", "maj@k"]
Direction = Literal["up", "down", "unclear"]
Bounds = Sequence[float]
"""Low and high end of a 95% interval."""


@dataclass(frozen=True)
class Tile:
    """One number before and after RL."""

    measure: Measure
    before: float | None
    after: float | None
    before_interval: Bounds | None
    after_interval: Bounds | None
    step: int
    """Checkpoint whose completions a click shows."""
    k: int = 1
    """Samples per problem, for pass@k and maj@k."""
    winners: tuple[str, ...] = ()
    """For `share`: each seed's most used format after RL."""
    change_interval: tuple[float, float] | None = None
    """Of after - before, each problem or seed its own control, where it is known."""
    null_after: float | None = None
    """For `share`: what the null model gives the same formats at that step; None where it is not defined."""

    @property
    def winner(self) -> str:
        """The format that won in every seed; empty where the seeds differ, or for another measure."""
        return self.winners[0] if len(set(self.winners)) == 1 else ""

    @property
    def direction(self) -> Direction:
        """By the paired interval of the change, else by whether the two intervals overlap."""
        if self.change_interval:
            low, high = self.change_interval
            return "up" if low > 0 else "down" if high < 0 else "unclear"
        if self.before is None or self.after is None or not self.before_interval or not self.after_interval:
            return "unclear"
        if self.after_interval[0] > self.before_interval[1]:
            return "up"
        return "down" if self.after_interval[1] < self.before_interval[0] else "unclear"


@dataclass(frozen=True)
class Certainty:
    """Over how many seeds the headline stands, and whether they agree."""

    winners: tuple[str, ...]
    """Most used format after RL, per seed."""
    shares: tuple[float, ...]
    """Its share, per seed."""
    interval: Bounds | None
    """Of the winner's share, where there is one seed."""


@dataclass(frozen=True)
class Progress:
    """Where training has come to, read off its last logged step."""

    step: int
    leader: str
    """The most used format; empty where no share is logged."""
    share: float | None


Changes = Mapping[str, tuple[float, float]]
"""Score -> paired interval of its change (`questions.score_changes.paired_changes`)."""
NullEnds = Mapping[str, Mapping[str, float]]
"""Id of a run -> format -> what the null model gives it at the run's last evaluated step."""


def tiles(
    summary: JsonObject,
    runs: Sequence[Run],
    chosen: tuple[str, str],
    changes: Changes | None = None,
    nulls: NullEnds | None = None,
) -> list[Tile]:
    """The tiles of the study's first group of runs, from its `summary.json`.

    Empty where the base or the last checkpoint is not evaluated.
    """
    base, final = summary["base"], summary["final"]
    if base is None or final is None:
        return []
    group = [run for run in runs if run.group == runs[0].group]
    return _tiles(group, chosen, (base, final), changes or {}, nulls or {})


def group_tiles(
    group: Sequence[Run], chosen: tuple[str, str], changes: Changes, nulls: NullEnds, k: int = 1
) -> list[Tile]:
    """The tiles of runs that differ in their seed alone, over the seeds that have both ends.

    `k`: samples per problem of pass@k and maj@k; 1: the largest that both ends have.
    """
    pairs = [(base, final) for base, final in (ends(run, chosen) for run in group) if base and final]
    if not pairs:
        return []
    base, final = (average_rows([pair[i] for pair in pairs]) for i in (0, 1))
    last = max(pair[1]["step"] for pair in pairs)
    return _tiles(group, chosen, (base, final | {"step": last}), changes, nulls, k)


def _tiles(
    group: Sequence[Run],
    chosen: tuple[str, str],
    averaged: tuple[JsonObject, JsonObject],
    changes: Changes,
    nulls: NullEnds,
    k: int = 1,
) -> list[Tile]:
    """Share of the winner, accuracy, and pass@k and maj@k at `k`, or at the largest k that both ends have."""
    base, final = averaged
    found = [_winner_tile(group, chosen, nulls), _tile("accuracy", base, final, changes.get("accuracy"))]
    largest = max((int(k) for k in base["pass@k"] if final["pass@k"].get(k) is not None), default=1)
    asked = k if k > 1 else largest
    if asked > 1:
        found.append(_tile("pass@k", base, final, changes.get(f"pass@{asked}"), asked))
        found.append(_tile("maj@k", base, final, changes.get(f"maj@{asked}"), asked))
    return found


def _tile(
    measure: Measure, base: JsonObject, final: JsonObject, change: tuple[float, float] | None, k: int = 1
) -> Tile:
    path = (measure,) if k == 1 else (measure, str(k))
    return Tile(
        measure,
        before=at(base, path),
        after=at(final, path),
        before_interval=at(base, ("intervals", *path)),
        after_interval=at(final, ("intervals", *path)),
        step=final["step"],
        k=k,
        change_interval=change,
    )


def _winner_tile(group: Sequence[Run], chosen: tuple[str, str], nulls: NullEnds) -> Tile:
    """Each seed's own winner, its share before and after; over several seeds with Student's t."""
    done = [run for run in group if all(ends(run, chosen))]
    pairs = [(base, final) for base, final in (ends(run, chosen) for run in done) if base and final]
    names = [top_format(final) or "other" for _, final in pairs]
    sides = [[_share(pair[i], name) for pair, name in zip(pairs, names, strict=True)] for i in (0, 1)]
    path = [("intervals", "formats", name, "share") for name in names]
    within = [[at(pair[i], where) for pair, where in zip(pairs, path, strict=True)] for i in (0, 1)]
    intervals = [within[i][0] if len(pairs) == 1 else seed_interval(sides[i], within[i]) for i in (0, 1)]
    return Tile(
        "share",
        before=sum(sides[0]) / len(pairs),
        after=sum(sides[1]) / len(pairs),
        before_interval=intervals[0],
        after_interval=intervals[1],
        step=pairs[0][1]["step"],
        winners=tuple(names),
        null_after=_null_after(
            [nulls.get(run.id, {}).get(name) for run, name in zip(done, names, strict=True)]
        ),
    )


def _null_after(shares: Sequence[float | None]) -> float | None:
    """The mean over seeds; None unless the null model is defined in each."""
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known and len(known) == len(shares) else None


def _share(row: JsonObject, name: str) -> float:
    return float((row["formats"].get(name) or {}).get("share") or 0.0)


def certainty(summary: JsonObject, runs: Sequence[Run], chosen: tuple[str, str]) -> Certainty:
    """How far the headline can be trusted, from the seeds of the first group that have both ends."""
    group = [run for run in runs if run.group == runs[0].group]
    found = [final for base, final in (ends(run, chosen) for run in group) if base and final]
    names = tuple(top_format(final) or "other" for final in found)
    shares = tuple(_share(final, name) for final, name in zip(found, names, strict=True))
    alone = len(names) == 1
    interval = at(summary, ("final", "intervals", "formats", names[0], "share")) if alone else None
    return Certainty(names, shares, interval)


def progress(runs: Sequence[Run]) -> Progress | None:
    """The last logged step of the first run that has trained; None where none has."""
    dense = next((run.dense for run in runs if run.dense), None)
    if dense is None:
        return None
    row = dense[-1]
    shares = {
        key.split("/")[1]: float(value)
        for key, value in row.items()
        if key.startswith("format/") and key.endswith("/share") and value
    }
    leader = max(shares, key=lambda name: shares[name], default="")
    return Progress(row["step"], leader, shares.get(leader))
