"""The phase map: two formats of equal length, base share x accuracy gap; who wins where, and where theory says so."""

from dataclasses import dataclass
from statistics import mean

import polars as pl

from .select import Arm, arm, base_shares, end_shares, winner
from .tables import Tables
from .winners import accuracies

FIRST, SECOND = "tinygsm", "tinygsm_tick"
PREFIX, ARM, FORECAST = "phase_", "ppo_map", "replicator flow, end"


@dataclass(frozen=True)
class Corner:
    """One mixture of the map, mean over its seeds."""

    mixture: str
    seeds: int
    share: float
    """Of the first format at the base."""
    gap: float
    """Accuracy of the first minus the second at the base; NaN where one was hardly written."""
    final: float
    """Share of the first format after RL."""
    winners: tuple[str, ...]
    foretold: tuple[str, ...]
    """Winners by the replicator flow on base shares and accuracies."""

    @property
    def first_wins(self) -> bool:
        """Whether the first format has the larger final share on average."""
        return self.final > 0.5


def phase_map(tables: Tables) -> list[Corner]:
    """Every finished mixture of the map, by base share."""
    found = []
    for mixture, size, name in tables.runs:
        if mixture.startswith(PREFIX) and name == ARM and size == tables.size:
            one = arm(tables, mixture, name)
            start, last, known = base_shares(tables, one), end_shares(tables, one), accuracies(tables, one)
            gaps = [of[FIRST] - of[SECOND] for of in known.values() if FIRST in of and SECOND in of]
            found.append(Corner(
                mixture, len(last), mean(of.get(FIRST, 0.0) for of in start.values()), mean(gaps) if gaps else float("nan"),
                mean(of.get(FIRST, 0.0) for of in last.values()), tuple(sorted({winner(of) for of in last.values()})), _foretold(tables, one),
            ))  # fmt: skip
    return sorted(found, key=lambda corner: corner.share)


def phase_rows(tables: Tables) -> list[list[str]]:
    """Text cells per mixture of the map, by base share: mixture, seeds, share, gap, final share, winner, foretold."""
    return [
        [c.mixture, str(c.seeds), f"{c.share:.2f}", f"{c.gap:+.2f}" if c.gap == c.gap else "–", f"{c.final:.2f}", ", ".join(c.winners), ", ".join(c.foretold) or "–"]
        for c in phase_map(tables)
    ]


def _foretold(tables: Tables, one: Arm) -> tuple[str, ...]:
    frame = tables.frames["forecasts"]
    mine = (pl.col("mixture") == one.mixture) & (pl.col("size") == one.size) & (pl.col("arm") == one.arm) & (pl.col("forecast") == FORECAST)
    return tuple(sorted(set(frame.filter(mine)["winner"])))
