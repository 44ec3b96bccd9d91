"""Which format of a base is the most frequent, the most accurate or the shortest, and who wins in the end."""

import polars as pl

from ...claims.declare import Seeds
from ...claims.select import Arm, base_shares, settings
from ...core.study_tables import BANDIT, BASE, KL_OPTIMUM, REPLICATOR, Tables
from ..echo_chamber.winners import accuracies
from .outcomes import winners, yes_no
from .premises import most

FORECASTS = (REPLICATOR, KL_OPTIMUM, BANDIT)
Ranked = dict[int, str]
"""seed -> a format of the base."""


def most_frequent(tables: Tables, one: Arm) -> Ranked:
    """seed -> the base's most frequent known format."""
    known = accuracies(tables, one)
    return {
        seed: most({name: share for name, share in of.items() if name in known.get(seed, {})})
        for seed, of in base_shares(tables, one).items()
        if known.get(seed)
    }


def most_accurate(tables: Tables, one: Arm) -> Ranked:
    """seed -> the base's most accurate format, of those with at least 1% of its completions."""
    return {seed: most(of) for seed, of in accuracies(tables, one).items()}


def shortest(tables: Tables, one: Arm) -> Ranked:
    """seed -> the format with the fewest tokens in a completion of the base, of those with at least 1%."""
    known, start = accuracies(tables, one), settings(tables, one)["from_step"]
    rows = tables.frames["styles"].filter(
        (pl.col("mixture") == one.mixture)
        & (pl.col("size") == one.size)
        & (pl.col("arm") == BASE)
        & pl.col("from_step").eq_missing(pl.lit(start, pl.Int64))
        & (pl.col("feature") == "mean tokens")
    )
    lengths: dict[int, dict[str, float]] = {}
    for seed, name, tokens in rows.select("seed", "format", "share").iter_rows():
        if name in known.get(seed, {}):
            lengths.setdefault(seed, {})[name] = -tokens
    return {seed: most(of) for seed, of in lengths.items()}


def hits(tables: Tables, one: Arm, ranked: Ranked) -> Seeds:
    """seed -> 1 where the winner is that format; nobody's victory is a miss."""
    ends = winners(tables, one)
    return {seed: yes_no(ends[seed] == ranked[seed]) for seed in ends if seed in ranked}


def others_win(tables: Tables, one: Arm) -> Seeds:
    """seed -> 1 where another format than the base's most frequent one wins; nobody's victory is a miss."""
    ends, frequent = winners(tables, one), most_frequent(tables, one)
    return {
        seed: yes_no(ends[seed] is not None and ends[seed] != frequent[seed])
        for seed in ends
        if seed in frequent
    }


def zip_seeds(*parts: Ranked) -> dict[int, tuple[str, ...]]:
    """seed -> the formats of every ranking, for the seeds that all of them have."""
    common = sorted(set.intersection(*(set(part) for part in parts)))
    return {seed: tuple(part[seed] for part in parts) for seed in common}


def forecast_winners(tables: Tables, one: Arm) -> dict[str, Ranked]:
    """Forecast -> seed -> the winner that it names."""
    frame = tables.frames["forecasts"].filter(
        (pl.col("mixture") == one.mixture) & (pl.col("size") == one.size) & (pl.col("arm") == one.arm)
    )
    found: dict[str, Ranked] = {}
    for seed, forecast, name in frame.select("seed", "forecast", "winner").iter_rows():
        if forecast in FORECASTS and name is not None:
            found.setdefault(f"forecast {forecast}", {})[seed] = name
    return found
