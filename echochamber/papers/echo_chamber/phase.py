"""The phase map: which of two formats of equal length wins, over base share and gap in expected reward.

A format's expected reward, in [0, 1], is the mean reward of a base completion in it. It is the format's
accuracy times the share of its correct answers that the arm rewards.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from ...claims.select import Arm, arm, base_shares, end_shares, settings, winner
from ...core.study_tables import Tables
from .markdown import render
from .winners import accuracies

FIRST, SECOND = "tinygsm", "tinygsm_tick"
PREFIX, ARM = "phase_", "ppo_map"


@dataclass(frozen=True)
class Corner:
    """One run of the map, mean over its seeds."""

    run: str
    seeds: int
    share: float
    """Of the first format at the base."""
    gap: float
    """Expected reward of the first minus the second at the base; NaN where one was hardly written."""
    final: float
    """Share of the first format after RL."""
    winners: tuple[str, ...]
    by_reward: tuple[str, ...]
    """Formats of highest expected reward at the base: the end of the replicator flow."""
    by_rewarded: tuple[str, ...]
    """Most frequent formats among the base's rewarded completions: the KL optimum of small weight."""

    @property
    def first_wins(self) -> bool:
        """Whether the first format has the larger final share on average."""
        return self.final > 0.5


def phase_map(tables: Tables) -> list[Corner]:
    """Every finished run of the map, by base share and gap."""
    runs = [
        (mixture, size, name)
        for mixture, size, name in tables.runs
        if mixture.startswith(PREFIX) and name.startswith(ARM) and size == tables.size
    ]
    return sorted(
        (_corner(tables, arm(tables, mixture, name)) for mixture, _, name in runs),
        key=lambda corner: (corner.run.split("/")[0], -corner.gap),
    )


def _corner(tables: Tables, one: Arm) -> Corner:
    start, last = base_shares(tables, one), end_shares(tables, one)
    rewards = expected_rewards(tables, one)
    gaps = [of[FIRST] - of[SECOND] for of in rewards.values() if FIRST in of and SECOND in of]
    rewarded = [
        winner({name: start[seed][name] * reward for name, reward in of.items()})
        for seed, of in rewards.items()
    ]
    return Corner(
        str(one),
        len(last),
        mean(of.get(FIRST, 0.0) for of in start.values()),
        mean(gaps) if gaps else float("nan"),
        mean(of.get(FIRST, 0.0) for of in last.values()),
        _names(map(winner, last.values())),
        _names(map(winner, rewards.values())),
        _names(rewarded),
    )


def expected_rewards(tables: Tables, one: Arm) -> dict[int, dict[str, float]]:
    """seed -> format -> expected reward of a base completion in it, for formats that the base writes."""
    kind, _, rest = str(settings(tables, one)["reward"]).partition(":")
    format_name, _, rate = rest.partition(":") if kind == "thinned" else ("", "", "0")
    return {
        seed: {name: right * (1 - float(rate) * (name == format_name)) for name, right in of.items()}
        for seed, of in accuracies(tables, one).items()
    }


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))


def phase_rows(tables: Tables) -> list[list[str]]:
    """Text cells per run; the columns are named in `results.md.j2`."""
    return [
        [
            c.run,
            str(c.seeds),
            f"{c.share:.2f}",
            f"{c.gap:+.2f}" if c.gap == c.gap else "–",
            f"{c.final:.2f}",
            ", ".join(c.winners),
            ", ".join(c.by_reward) or "–",
            ", ".join(c.by_rewarded) or "–",
        ]
        for c in phase_map(tables)
    ]


def phase_hits(tables: Tables) -> dict[str, int]:
    """Runs, and in how many of them each prediction named the winner."""
    corners = phase_map(tables)
    frequent = sum(corner.winners == ((FIRST if corner.share > 0.5 else SECOND),) for corner in corners)
    reward = sum(corner.winners == corner.by_reward for corner in corners)
    rewarded = sum(corner.winners == corner.by_rewarded for corner in corners)
    return {"runs": len(corners), "frequent": frequent, "reward": reward, "rewarded": rewarded}


def phase(tables: Tables) -> str:
    """The map as a table, with the hit rates of three predictions from the base."""
    return render("phase", rows=phase_rows(tables), arm=ARM, **phase_hits(tables))
