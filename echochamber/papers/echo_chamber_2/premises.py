"""Premises that several claims share: headroom on a level, bands of accuracy, frequency and accuracy."""

from collections.abc import Iterable

from ...claims.declare import Measurement, NotTestableError, Premise, Seeds
from ...claims.select import Arm, base, base_shares, minus
from ...core.study_tables import BASE, Tables, floor_item
from ..echo_chamber.winners import accuracies
from .places import ROOM

LOW, HIGH = 0.15, 0.85
MAJ_ROOM, PASS_ROOM = (0.40, 0.75), (0.50, 0.90)

ROOM_PREMISES = (
    Premise(
        "maj@64_has_headroom",
        f"base/maj@64/{ROOM}",
        *MAJ_ROOM,
        "maj@64 of the base on the level with headroom",
    ),
    Premise("pass@64_has_headroom", f"base/pass@64/{ROOM}", *PASS_ROOM, "the base's pass@64 on that level"),
    Premise(
        "pass@64_beyond_chance",
        f"base/pass@64_minus_chance/{ROOM}",
        0.0,
        None,
        "pass@64 of the base minus what another problem's answer reaches",
    ),
)
ACCURACY_PREMISE = Premise(
    "format_accuracy", "base/accuracy_of_format", LOW, HIGH, "accuracy of each format at the base"
)


def room(tables: Tables, places: Iterable[Arm]) -> tuple[Measurement, ...]:
    """The three premises on headroom, at the mean over places for each seed."""
    found: dict[str, list[Seeds]] = {premise.id: [] for premise in ROOM_PREMISES}
    for one in places:
        votes, passed = (base(tables, one, quantity, ROOM) for quantity in ("maj@64", "pass@64"))
        parts = (votes, passed, minus(passed, room_floor(tables, one), "pass@64 and its chance floor"))
        for premise, seeds in zip(ROOM_PREMISES, parts, strict=True):
            found[premise.id].append(seeds)
    return tuple(Measurement(name, mean_of(parts)) for name, parts in found.items())


def room_floor(tables: Tables, one: Arm, kind: str = "chance", when: str = BASE) -> Seeds:
    """seed -> pass@64 on the level with headroom by another problem's answer, or by right steps as well."""
    known = tables.findings.get((one.mixture, one.size, one.arm), {})
    analysis = "floors" if tables.headline_set == ROOM else f"floors/{ROOM}"
    seeds = known.get(analysis, {}).get(floor_item(when, kind, 64))
    if not seeds:
        raise NotTestableError(f"the floors of pass@64 of {one} on {ROOM} were not measured")
    return seeds


def mean_of(parts: list[Seeds]) -> Seeds:
    """Mean over several places, for the seeds that all of them have."""
    common = sorted(set.intersection(*(set(part) for part in parts))) if parts else []
    return {seed: sum(part[seed] for part in parts) / len(parts) for seed in common}


def format_bands(tables: Tables, one: Arm, formats: Iterable[str]) -> tuple[Measurement, ...]:
    """The accuracy of every format at the base; one that a seed hardly writes is missing there."""
    known = accuracies(tables, one)
    return tuple(
        Measurement(ACCURACY_PREMISE.id, {s: of[name] for s, of in known.items() if name in of}, name)
        for name in formats
    )


FREQUENT_PREMISES = (
    Premise(
        "most_frequent", "base/share_of_most_frequent", 0.5, None, "share of the base's most frequent format"
    ),
    Premise(
        "less_accurate",
        "base/accuracy_lead_over_most_frequent",
        0.0,
        None,
        "accuracy of the base's most accurate other format minus that of its most frequent one",
    ),
)


def frequent_and_worse(tables: Tables, one: Arm) -> tuple[Measurement, ...]:
    """The most frequent format's share, and by how much another format is more accurate."""
    share: dict[int, float] = {}
    lead: dict[int, float] = {}
    known = accuracies(tables, one)
    for seed, of in base_shares(tables, one).items():
        written = {name: value for name, value in of.items() if name in known.get(seed, {})}
        if len(written) > 1:
            frequent = most(written)
            share[seed] = written[frequent]
            others = [value for name, value in known[seed].items() if name != frequent]
            lead[seed] = max(others) - known[seed][frequent]
    return Measurement("most_frequent", share), Measurement("less_accurate", lead)


def most(of: dict[str, float]) -> str:
    """The name of the largest value; the first by name among equals."""
    return max(sorted(of), key=lambda name: of[name])
