"""The phase map: two formats of equal length, base share x accuracy gap; who wins where, and where theory says so."""

from statistics import mean

import polars as pl

from .select import Arm, arm, base_shares, end_shares, winner
from .tables import Tables
from .winners import accuracies

FIRST, SECOND = "tinygsm", "tinygsm_single"
PREFIX, FORECAST = "phase_", "replicator flow, end"


def phase_rows(tables: Tables) -> list[list[str]]:
    """Text cells per mixture of the map, by base share: mixture, seeds, share, gap, final share, winner, foretold."""
    found = []
    for mixture, size, name in tables.runs:
        if mixture.startswith(PREFIX) and name == "ppo" and size == tables.size:
            one = arm(tables, mixture, name)
            start, last, known = base_shares(tables, one), end_shares(tables, one), accuracies(tables, one)
            share = mean(of.get(FIRST, 0.0) for of in start.values())
            gaps = [of[FIRST] - of[SECOND] for of in known.values() if FIRST in of and SECOND in of]
            final = mean(of.get(FIRST, 0.0) for of in last.values())
            names = sorted({winner(of) for of in last.values()})
            cells = [mixture, str(len(last)), f"{share:.2f}", f"{mean(gaps):+.2f}" if gaps else "–", f"{final:.2f}", ", ".join(names), _foretold(tables, one)]
            found.append((share, cells))
    return [cells for _, cells in sorted(found)]


def _foretold(tables: Tables, one: Arm) -> str:
    frame = tables.frames["forecasts"]
    mine = (pl.col("mixture") == one.mixture) & (pl.col("size") == one.size) & (pl.col("arm") == one.arm) & (pl.col("forecast") == FORECAST)
    return ", ".join(sorted(set(frame.filter(mine)["winner"]))) or "–"
