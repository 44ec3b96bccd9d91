"""Claims 3, 4, 10 and 11: votes, pass@64 and copies, on the level with headroom."""

from collections.abc import Callable

from ...claims.crossfit import dev_best, drop_from_maximum
from ...claims.declare import (
    Claim,
    Context,
    Criterion,
    Evidence,
    Measurement,
    NotTestableError,
    Premise,
    Seeds,
)
from ...claims.estimate import estimate_on_scale
from ...claims.select import Arm, arm, base, end, gain, minus, settings
from ...core.study_tables import AFTER_RL, Tables
from ..echo_chamber.claim_set import CLAIMS as FIRST
from ..echo_chamber.copies import slope
from .outcomes import greedy_end, greedy_gain
from .places import COPIES, EQUAL_TOKENS, GREEDY, NEUTRAL, ROOM, THREE, place
from .premises import MAJ_ROOM, PASS_ROOM, ROOM_PREMISES, room, room_floor

HeatAt = Callable[[int, int], float | None]
"""(seed, step) -> sampling temperature."""
FLAT = 0.01
"""Slope per doubling within which more copies at equal tokens change nothing."""
QUANTITIES = (GREEDY, "pass@64", "maj@64")
WITH_ROOM = Premise(
    "arms_with_headroom",
    f"count/base_in_band/{ROOM}",
    1.0,
    None,
    "mixtures whose base has headroom for votes and pass@64",
)


def steps_gain(tables: Tables, one: Arm) -> Context:
    """pass@64 by right steps as well, end minus base, on the level with headroom."""
    moved = minus(
        room_floor(tables, one, "steps", AFTER_RL), room_floor(tables, one, "steps"), "base and end"
    )
    return Context("pass@64 by right steps, end minus base", moved, one.mixture)


def _claim_3(tables: Tables) -> Evidence:
    one = arm(tables, THREE, NEUTRAL)
    context = (
        Context("greedy pass@1, end minus base", greedy_gain(tables, one)),
        Context("sampled pass@1, end minus base", gain(tables, one, "accuracy")),
        steps_gain(tables, one),
    )
    measured = (Measurement("maj@64", gain(tables, one, "maj@64", ROOM)),)
    return Evidence(measured, context, premises=room(tables, [one]))


def _claim_4(tables: Tables) -> Evidence:
    one = arm(tables, THREE, NEUTRAL)
    heat = settings(tables, one)["temperature"]
    best = dev_best(tables, one, "pass@64", near=heat, problem_set=ROOM)
    if max(best.tried) <= heat:
        raise NotTestableError(f"dev was measured at no temperature above that of training ({heat:g})")
    measured = (
        Measurement("training_temperature", _fall(tables, one, lambda seed, step: heat)),
        Measurement("dev-best_temperature", _fall(tables, one, best.at)),
    )
    plain = drop_from_maximum(tables, one, 64, lambda seed, step: heat, ROOM)
    context = (Context("the fall with chance included", plain), steps_gain(tables, one))
    note = f"best temperatures on dev: {best.summary()}; {best.ties} of {len(best.chosen)} are ties"
    return Evidence(measured, context, (note,), premises=room(tables, [one]))


def _fall(tables: Tables, one: Arm, heat_at: HeatAt) -> Seeds:
    return drop_from_maximum(tables, one, 64, heat_at, ROOM, above_chance=True)


def slopes(tables: Tables, mixtures: dict[int, str]) -> dict[str, Seeds]:
    """Quantity -> seed -> slope on log2(copies): greedy on RL's problems, the others with headroom."""
    places = {copies: arm(tables, mixture, NEUTRAL) for copies, mixture in mixtures.items()}
    found = {GREEDY: slope({copies: greedy_end(tables, one) for copies, one in places.items()})}
    return found | {
        name: slope({copies: end(tables, one, name, ROOM) for copies, one in places.items()})
        for name in QUANTITIES[1:]
    }


def _claim_10(tables: Tables) -> Evidence:
    by_copies, at_equal = slopes(tables, COPIES), slopes(tables, EQUAL_TOKENS)
    flat = all(
        estimate_on_scale(seeds, "within", FLAT, scale="equivalence").verdict() == "supported"
        for seeds in at_equal.values()
    )
    context = tuple(Context(f"slope of {name} at equal tokens", seeds) for name, seeds in at_equal.items())
    return Evidence(
        tuple(Measurement(name, seeds) for name, seeds in by_copies.items()),
        context,
        premises=room(tables, [arm(tables, mixture, NEUTRAL) for mixture in COPIES.values()]),
        qualifier="explained by tokens" if flat else "",
    )


def has_room(tables: Tables, one: Arm) -> bool:
    """Whether a mixture's bases have headroom for votes and pass@64, at the mean over seeds."""
    bands = (("maj@64", MAJ_ROOM), ("pass@64", PASS_ROOM))
    means = [(base(tables, one, name, ROOM), band) for name, band in bands]
    return all(low <= sum(of.values()) / len(of) <= high for of, (low, high) in means)


def _claim_11(tables: Tables) -> Evidence:
    places = [arm(tables, mixture, NEUTRAL) for mixture in COPIES.values()]
    fitting = [one for one in places if has_room(tables, one)]
    measured: list[Measurement] = []
    for one in fitting:
        for name in QUANTITIES[1:]:
            measured.append(Measurement(name, gain(tables, one, name, ROOM), one.mixture))
    context = [
        Context(f"base {n}", base(tables, one, n, ROOM), one.mixture)
        for one in places
        for n in QUANTITIES[1:]
    ]
    context += [steps_gain(tables, one) for one in fitting]
    seeds = base(tables, places[0], "maj@64", ROOM)
    count = Measurement(WITH_ROOM.id, dict.fromkeys(seeds, float(len(fitting))))
    notes = tuple(f"{one.mixture} has no headroom and is left out" for one in places if one not in fitting)
    return Evidence(tuple(measured), tuple(context), notes, premises=(count,))


CLAIMS = (
    Claim(
        3,
        FIRST[3].statement,
        FIRST[3].source,
        (place(THREE, NEUTRAL),),
        (Criterion("maj@64", f"gain/maj@64/{ROOM}", "above", 0.02, "maj@64 at the end minus at the base"),),
        "maj@64 rises by less than 0.02, or falls",
        _claim_3,
        premises=ROOM_PREMISES,
    ),
    Claim(
        4,
        FIRST[4].statement,
        FIRST[4].source,
        (place(THREE, NEUTRAL),),
        (
            Criterion(
                "training_temperature",
                f"fall_from_maximum/pass@64_minus_chance/{ROOM}/training_temperature",
                "above",
                0.02,
                "pass@64 less its chance floor, at its earlier maximum minus at the end",
            ),
            Criterion(
                "dev-best_temperature",
                f"fall_from_maximum/pass@64_minus_chance/{ROOM}/dev_best_temperature",
                "above",
                0.02,
                "the same with every checkpoint at its own best temperature on dev",
            ),
        ),
        "pass@64 ends within 0.02 of its earlier maximum, or the fall vanishes at a better temperature",
        _claim_4,
        premises=ROOM_PREMISES,
        choices=(
            "the maximum is chosen on 64 samples and measured on the other 64, both ways averaged",
            "the chance floor is that of the same half, checkpoint and temperature",
            "among equal temperatures on dev the one nearest to training's is taken",
        ),
    ),
    Claim(
        10,
        FIRST[10].statement,
        FIRST[10].source,
        tuple(place(m, NEUTRAL) for m in dict.fromkeys((*COPIES.values(), *EQUAL_TOKENS.values()))),
        tuple(
            Criterion(
                name,
                f"slope_on_log2_copies/{name}",
                "above",
                0.0,
                f"slope of {name} at the end on log2(copies)",
            )
            for name in QUANTITIES
        ),
        "one of the three slopes is below 0",
        _claim_10,
        premises=ROOM_PREMISES,
        choices=(
            "pass@1 is greedy on the problems of RL; pass@64 and maj@64 are on the level with headroom",
            f"explained by tokens: at equal tokens all three slopes are within {FLAT:g} of 0 (TOST)",
            "headroom is judged at the mean over the four mixtures",
        ),
    ),
    Claim(
        11,
        FIRST[11].statement,
        FIRST[11].source,
        tuple(place(m, NEUTRAL) for m in COPIES.values()),
        (
            Criterion(
                "pass@64", f"gain/pass@64/{ROOM}", "below", 0.02, "pass@64 at the end minus at the base"
            ),
            Criterion("maj@64", f"gain/maj@64/{ROOM}", "above", 0.05, "maj@64 at the end minus at the base"),
        ),
        "in an arm with headroom pass@64 rises by more than 0.02 or maj@64 by less than 0.05",
        _claim_11,
        premises=(WITH_ROOM,),
        choices=("all mixtures whose base has headroom must show both; without any the premise is not met",),
    ),
)
