"""Picking per-seed numbers out of the tables; whatever is missing becomes a reason, never a guess."""

from collections.abc import Mapping
from typing import NamedTuple

from ..core.formats import OTHER
from ..core.study_tables import BASE, RunRow, Tables
from .declare import NotTestableError, Seeds

TEST, DEV = "test", "dev"


class Arm(NamedTuple):
    """One RL arm on one mixture at one size."""

    mixture: str
    arm: str
    size: str

    def __str__(self) -> str:
        return f"{self.mixture}/{self.arm}"


def arm(tables: Tables, mixture: str, name: str, size: str | None = None) -> Arm:
    """An arm that has finished runs with evaluations; `NotTestableError` names one that has none."""
    found = Arm(mixture, name, size or tables.size)
    if not tables.runs.get((mixture, found.size, name)):
        raise NotTestableError(
            f"arm {found} at {found.size or 'any size'} has no finished run: {_planned(tables, found)}"
        )
    return found


def _planned(tables: Tables, one: Arm) -> str:
    """Whether an arm without a finished run is still to come."""
    rows = [row for row in tables.about.get("arms") or [] if (row["mixture"], row["arm"], row["size"]) == one]
    if rows:
        return f"planned on seeds {', '.join(map(str, rows[0]['planned']))}, none of them done yet"
    return "not among the arms of this study's commands"


def settings(tables: Tables, one: Arm) -> RunRow:
    """The arm's row of `runs` (any seed: they differ in nothing else)."""
    return next(iter(tables.runs[one.mixture, one.size, one.arm].values()))


def curve(
    tables: Tables,
    one: Arm,
    quantity: str,
    problem_set: str | None = None,
    split: str = TEST,
    temperature: float | None = None,
) -> dict[int, dict[int, float]]:
    """seed -> step -> value, the base at step 0; seeds that lack the base or the end are left out.

    `temperature` None: the arm's own training temperature if it was evaluated there, else the one it was.
    """
    chosen, start = problem_set or tables.headline_set, settings(tables, one)["from_step"]
    temperature, evaluation = _measured_at(tables, one, (chosen, split, quantity), temperature)
    key = (start, chosen, split, temperature, evaluation, quantity)
    bases = tables.scores.get((one.mixture, one.size, BASE, *key), {})
    ends = tables.scores.get((one.mixture, one.size, one.arm, *key), {})
    last = settings(tables, one)["steps"]
    found = {
        seed: {0: bases[seed][0]} | steps
        for seed, steps in sorted(ends.items())
        if 0 in bases.get(seed, {}) and last in steps
    }
    if not found:
        raise NotTestableError(
            f"{quantity} of {one} on {chosen} ({split}) was not measured at the base and the last checkpoint"
        )
    return found


def _measured_at(
    tables: Tables, one: Arm, what: tuple[str, str, str], temperature: float | None
) -> tuple[float, str]:
    """(temperature, evaluation) to read a (set, split, quantity) from; the same one for base and arm."""
    wanted = settings(tables, one)["temperature"] if temperature is None else temperature
    pairs = tables.measured.get((one.mixture, one.size, one.arm, *what), [])
    pairs = pairs if temperature is None else [pair for pair in pairs if pair[0] == temperature]
    if not pairs:
        at = "" if temperature is None else f" at temperature {temperature:g}"
        raise NotTestableError(f"{what[2]} of {one} on {what[0]} ({what[1]}) was not measured{at}")
    return min(pairs, key=lambda pair: abs(pair[0] - wanted))


def base(tables: Tables, one: Arm, quantity: str, problem_set: str | None = None, split: str = TEST) -> Seeds:
    """seed -> value at the base that the arm starts from."""
    return {seed: steps[0] for seed, steps in curve(tables, one, quantity, problem_set, split).items()}


def end(tables: Tables, one: Arm, quantity: str, problem_set: str | None = None, split: str = TEST) -> Seeds:
    """seed -> value at the last checkpoint."""
    return {
        seed: steps[max(steps)] for seed, steps in curve(tables, one, quantity, problem_set, split).items()
    }


def gain(tables: Tables, one: Arm, quantity: str, problem_set: str | None = None) -> Seeds:
    """seed -> end minus base: each seed is its own control."""
    return {s: steps[max(steps)] - steps[0] for s, steps in curve(tables, one, quantity, problem_set).items()}


def minus(first: Seeds, second: Seeds, what: str = "the two arms") -> Seeds:
    """Paired difference over the seeds that both have."""
    shared = {seed: first[seed] - second[seed] for seed in first if seed in second}
    if not shared:
        raise NotTestableError(f"{what} share no seed")
    return shared


def mean_over(parts: Mapping[str, Seeds], what: str) -> Seeds:
    """Mean over several places, for the seeds that all of them have."""
    common = set.intersection(*(set(seeds) for seeds in parts.values())) if parts else set()
    if not common:
        raise NotTestableError(f"{what} share no seed")
    return {seed: sum(seeds[seed] for seeds in parts.values()) / len(parts) for seed in sorted(common)}


def shares(
    tables: Tables, one: Arm, problem_set: str | None = None
) -> dict[int, dict[int, dict[str, float]]]:
    """seed -> step -> format -> share of sampled completions; a format that was not written has 0."""
    names = tables.formats.get((one.mixture, one.size), [])
    if not names:
        raise NotTestableError(f"format shares of {one} were not measured")
    curves = {name: curve(tables, one, f"share/{name}", problem_set) for name in names}
    seeds = set.intersection(*(set(c) for c in curves.values()))
    return {
        seed: {
            step: {name: curves[name][seed].get(step, 0.0) for name in names}
            for step in sorted(next(iter(curves.values()))[seed])
        }
        for seed in sorted(seeds)
    }


def end_shares(tables: Tables, one: Arm, problem_set: str | None = None) -> dict[int, dict[str, float]]:
    """seed -> format -> share at the last checkpoint."""
    return {seed: steps[max(steps)] for seed, steps in shares(tables, one, problem_set).items()}


def base_shares(tables: Tables, one: Arm, problem_set: str | None = None) -> dict[int, dict[str, float]]:
    """seed -> format -> share at the base."""
    return {seed: steps[0] for seed, steps in shares(tables, one, problem_set).items()}


def top_share(of: Mapping[str, float]) -> float:
    """Largest share of a known format; completions in no known format (`other`) do not count."""
    return max((share for name, share in of.items() if name != OTHER), default=0.0)


def second_share(of: Mapping[str, float]) -> float:
    """Second largest share of a known format; 0 where fewer than two were written."""
    known = sorted(share for name, share in of.items() if name != OTHER)
    return known[-2] if len(known) > 1 else 0.0


def winner(of: Mapping[str, float]) -> str:
    """The format with the largest share; the first by name among equals."""
    return max(sorted(of), key=lambda name: of[name])


def winner_counts(tables: Tables, one: Arm) -> str:
    """Winners over seeds: `omi2 in 1, tinygsm in 5`."""
    names = [winner(of) for of in end_shares(tables, one).values()]
    return ", ".join(f"{name} in {names.count(name)}" for name in sorted(set(names)))


def winners(label: str, tables: Tables, one: Arm) -> str:
    """`winner of LABEL: tinygsm in 5, omi2 in 1`."""
    return f"winner of {label}: {winner_counts(tables, one)}"


def lead(of: Mapping[str, float], name: str) -> float:
    """Share of `name` minus the largest other share: above 0 exactly when it is the winner."""
    return of.get(name, 0.0) - max((share for other, share in of.items() if other != name), default=0.0)


def variation(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Total variation between two sets of shares, in [0, 1].

    Added up by name: the order of a set changes from process to process.
    """
    return sum(abs(first.get(name, 0.0) - second.get(name, 0.0)) for name in sorted({*first, *second})) / 2


def shift(tables: Tables, one: Arm) -> Seeds:
    """seed -> total variation between the shares of base and end."""
    start, last = base_shares(tables, one), end_shares(tables, one)
    return {seed: variation(start[seed], last[seed]) for seed in last if seed in start}
