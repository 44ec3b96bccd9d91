"""How every arm of a study ended, and the same over all arms: the numbers of a headline over arms."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .headline import COLLAPSED, Changes, Direction, Measure, NullEnds, Tile, group_tiles
from .run_inputs import Parts
from .runs import Run, ends, shared_k


@dataclass(frozen=True)
class ArmOutcome:
    """One arm: runs that differ in their seed alone, on one problem set."""

    group: Parts
    seeds: tuple[int, ...]
    """Of all its runs, finished or not."""
    tiles: list[Tile]
    """Share of the winner and scores, before and after; empty where an end is not evaluated."""
    null_winners: tuple[str, ...] = ()
    """Format with the null model's largest share, per finished seed; empty where it is not defined."""

    @property
    def label(self) -> str:
        """`MIXTURE · SIZE · ARM`, as the page shows it."""
        return " · ".join(part for part in self.group if part)

    @property
    def winners(self) -> tuple[str, ...]:
        """Most used format after RL, per finished seed."""
        return self.tiles[0].winners if self.tiles else ()


def arm_outcomes(
    runs: Sequence[Run], chosen: tuple[str, str], changes: Mapping[Parts, Changes], nulls: NullEnds
) -> list[ArmOutcome]:
    """One per arm with RL, in the study's order. `changes`: paired intervals, by arm.

    pass@k and maj@k are at the largest k that all finished arms have, where there is one above 1.
    """
    groups: dict[Parts, list[Run]] = {}
    for run in runs:
        if run.rl is not None:
            groups.setdefault(run.group, []).append(run)
    pairs = [ends(run, chosen) for members in groups.values() for run in members]
    k = int(shared_k([row for pair in pairs if all(pair) for row in pair if row]))
    return [
        _outcome(group, members, chosen, changes.get(group, {}), nulls, k)
        for group, members in groups.items()
    ]


def _outcome(
    group: Parts, members: Sequence[Run], chosen: tuple[str, str], changes: Changes, nulls: NullEnds, k: int
) -> ArmOutcome:
    found = group_tiles(members, chosen, changes, nulls, k)
    shares = [nulls[run.id] for run in members if nulls.get(run.id)]
    named = tuple(map(_largest, shares))
    complete = bool(found) and len(named) == len(found[0].winners)
    return ArmOutcome(group, tuple(run.seed for run in members), found, named if complete else ())


def _largest(shares: Mapping[str, float]) -> str:
    return max(shares, key=lambda name: shares[name])


@dataclass(frozen=True)
class Spread:
    """One number over arms, before and after RL."""

    measure: Measure
    k: int
    """Samples per problem, for pass@k and maj@k: the largest that most arms have."""
    arms: int
    """Arms that have both ends."""
    before: float
    """Median over arms."""
    after: float
    """Median over arms."""
    least: float
    """After RL, over arms."""
    most: float
    moves: Mapping[Direction, int]
    """Arms whose change is clear, by its direction, and those whose change is not."""
    null_after: float | None = None
    """Median over the arms for which the null model is defined."""


def spreads(outcomes: Sequence[ArmOutcome]) -> list[Spread]:
    """Share of the winner and every score, over the arms that have both ends."""
    found: dict[Measure, list[Tile]] = {}
    for tile in (tile for outcome in outcomes for tile in outcome.tiles):
        if tile.before is not None and tile.after is not None:
            found.setdefault(tile.measure, []).append(tile)
    return [_spread(measure, rows) for measure, rows in found.items()]


def _spread(measure: Measure, rows: Sequence[Tile]) -> Spread:
    k = Counter(tile.k for tile in rows).most_common(1)[0][0]
    alike = [tile for tile in rows if tile.k == k]
    before, after = ([float(value) for value in side if value is not None] for side in _sides(alike))
    nulls = [tile.null_after for tile in alike if tile.null_after is not None]
    return Spread(
        measure,
        k,
        len(alike),
        median(before),
        median(after),
        min(after),
        max(after),
        Counter(tile.direction for tile in alike),
        median(nulls) if nulls else None,
    )


def _sides(tiles: Sequence[Tile]) -> tuple[list[float | None], list[float | None]]:
    return [tile.before for tile in tiles], [tile.after for tile in tiles]


@dataclass(frozen=True)
class Tally:
    """Which formats won, over arms and over single runs."""

    arms: int
    """Arms with RL, finished or not."""
    evaluated: int
    """Of these, arms with both ends."""
    runs: int
    """Finished runs: one per arm and seed."""
    by_arm: Mapping[str, int]
    """Format -> arms in which it won in every seed, the most frequent first."""
    by_run: Mapping[str, int]
    """Format -> runs in which it won, the most frequent first."""
    differ: int
    """Arms whose seeds ended with different winners."""
    collapsed: int
    """Arms whose winner has at least `COLLAPSED` of the answers."""
    null_agrees: int
    """Runs whose winner is the null model's."""
    null_runs: int
    """Finished runs for which the null model is defined."""


def tally(outcomes: Sequence[ArmOutcome]) -> Tally:
    """Winners counted over arms and over runs."""
    done = [outcome for outcome in outcomes if outcome.tiles]
    agreed = [outcome.winners[0] for outcome in done if len(set(outcome.winners)) == 1]
    pairs = [
        pair for one in done if one.null_winners for pair in zip(one.winners, one.null_winners, strict=True)
    ]
    return Tally(
        arms=len(outcomes),
        evaluated=len(done),
        runs=sum(len(outcome.winners) for outcome in done),
        by_arm=dict(Counter(agreed).most_common()),
        by_run=dict(Counter(name for outcome in done for name in outcome.winners).most_common()),
        differ=len(done) - len(agreed),
        collapsed=sum((outcome.tiles[0].after or 0.0) >= COLLAPSED for outcome in done),
        null_agrees=sum(winner == null for winner, null in pairs),
        null_runs=len(pairs),
    )
