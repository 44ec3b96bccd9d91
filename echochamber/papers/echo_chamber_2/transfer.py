"""Claims 16 to 20: from easier problems to harder ones, beyond the pretraining, and overlap with it."""

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
from ...claims.select import Arm, arm, base, gain, mean_over, minus
from ...core.study_tables import AFTER_RL, BASE, Tables, floor_item
from ..echo_chamber.claim_set import CLAIMS as FIRST
from .outcomes import greedy_gain
from .places import (
    BEYOND,
    FIVE,
    GREEDY,
    HARD,
    HARD_ARM,
    HARD_MIXTURES,
    NEUTRAL,
    PLANTED,
    WITH_OMI2,
    WITHOUT_OMI2,
    place,
)

HARD_IS_HARD = Premise(
    "hard_is_hard", f"base/greedy/{HARD}", None, 0.10, "greedy pass@1 of the base on hard problems"
)


def _gains(tables: Tables, mixtures: tuple[str, ...]) -> dict[str, Seeds]:
    return {mixture: greedy_gain(tables, arm(tables, mixture, NEUTRAL), HARD) for mixture in mixtures}


def _sampled(tables: Tables, mixtures: tuple[str, ...], problem_set: str) -> tuple[Context, ...]:
    return tuple(
        Context(
            "sampled pass@1, end minus base",
            gain(tables, arm(tables, m, NEUTRAL), "accuracy", problem_set),
            m,
        )
        for m in mixtures
    )


def _claim_16(tables: Tables) -> Evidence:
    measured = tuple(Measurement("gain", seeds, m) for m, seeds in _gains(tables, FIVE).items())
    return Evidence(measured, _sampled(tables, FIVE, HARD))


def _claim_17(tables: Tables) -> Evidence:
    having, lacking = (mean_over(_gains(tables, side), "the mixtures") for side in (WITH_OMI2, WITHOUT_OMI2))
    context = tuple(Context("gain", seeds, m) for m, seeds in _gains(tables, FIVE).items())
    return Evidence((Measurement("difference", minus(having, lacking)),), context)


def _claim_18(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    context: list[Context] = []
    for mixture in FIVE:
        one = arm(tables, mixture, NEUTRAL)
        measured += [
            Measurement("pass@1", greedy_gain(tables, one, BEYOND), mixture),
            Measurement("pass@64_by_right_steps", _floor_gain(tables, one, "steps"), mixture),
        ]
        context += [
            Context("pass@64, end minus base", gain(tables, one, "pass@64", BEYOND), mixture),
            Context("pass@64 by chance, end minus base", _floor_gain(tables, one, "chance"), mixture, "null"),
        ]
    return Evidence(tuple(measured), (*context, *_sampled(tables, FIVE, BEYOND)))


def _floor_gain(tables: Tables, one: Arm, kind: str) -> Seeds:
    floors = tables.findings.get((one.mixture, one.size, one.arm), {}).get(f"floors/{BEYOND}", {})
    after, before = (floors.get(floor_item(when, kind, 64)) for when in (AFTER_RL, BASE))
    if not after or not before:
        raise NotTestableError(f"pass@64 of {one} on {BEYOND} was not measured by {kind}")
    return minus(after, before)


def _claim_19(tables: Tables) -> Evidence:
    one = arm(tables, PLANTED, NEUTRAL)
    sets = ("overlap", "overlap_clean")
    overlap, clean = gains = [greedy_gain(tables, one, name) for name in sets]
    known, twin = (base(tables, one, GREEDY, name) for name in sets)
    sampled, other = (gain(tables, one, "accuracy", name) for name in sets)
    context = (
        *(Context(f"gain on {name}", seeds) for name, seeds in zip(sets, gains, strict=True)),
        Context("greedy pass@1 of the base, overlap minus its clean twin", minus(known, twin)),
        Context("sampled pass@1, difference of the gains", minus(sampled, other)),
    )
    return Evidence((Measurement("difference", minus(overlap, clean)),), context)


def _claim_20(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    premises: list[Measurement] = []
    context: list[Context] = []
    for mixture in HARD_MIXTURES:
        hard, easier = (arm(tables, mixture, name) for name in (HARD_ARM, NEUTRAL))
        gains = greedy_gain(tables, hard, HARD), greedy_gain(tables, easier, HARD)
        measured.append(Measurement("difference", minus(*gains), mixture))
        premises.append(Measurement(HARD_IS_HARD.id, base(tables, hard, GREEDY, HARD), mixture))
        context += [
            Context("gain, RL on hard problems", gains[0], mixture),
            Context("gain, RL on easier problems", gains[1], mixture),
            Context("sampled pass@1 of the base", base(tables, hard, "accuracy", HARD), mixture),
        ]
    return Evidence(tuple(measured), tuple(context), premises=tuple(premises))


CLAIMS = (
    Claim(
        16,
        FIRST[16].statement,
        FIRST[16].source,
        tuple(place(m, NEUTRAL) for m in FIVE),
        (
            Criterion(
                "gain", f"gain/greedy/{HARD}", "above", 0.0, "greedy pass@1 on hard problems, end minus base"
            ),
        ),
        "in one of the five mixtures it falls",
        _claim_16,
    ),
    Claim(
        17,
        FIRST[17].statement,
        FIRST[17].source,
        tuple(place(m, NEUTRAL) for m in FIVE),
        (
            Criterion(
                "difference",
                f"difference/mean_gain/greedy/{HARD}",
                "above",
                0.0,
                "mean gain over the three mixtures with omi2 minus over the two without",
            ),
        ),
        "the mixtures with omi2 gain less",
        _claim_17,
    ),
    Claim(
        18,
        FIRST[18].statement,
        FIRST[18].source,
        tuple(place(m, NEUTRAL) for m in FIVE),
        (
            Criterion(
                "pass@1", f"gain/greedy/{BEYOND}", "within", 0.02, "greedy pass@1 on `beyond`, end minus base"
            ),
            Criterion(
                "pass@64_by_right_steps",
                f"gain/pass@64_right_steps/{BEYOND}",
                "above",
                0.0,
                "pass@64 with right steps as well on `beyond`, end minus base",
                holds="somewhere",
            ),
        ),
        "in one mixture pass@1 moves by more than 0.02, or in all of them pass@64 by right steps falls",
        _claim_18,
        choices=("pass@1 in all five; pass@64 by right steps in at least one, with Holm over the five",),
    ),
    Claim(
        19,
        FIRST[19].statement,
        FIRST[19].source,
        (place(PLANTED, NEUTRAL),),
        (
            Criterion(
                "difference",
                "difference/gain/greedy/overlap,overlap_clean",
                "above",
                0.0,
                "gain of greedy pass@1 on `overlap` minus on its clean twin",
            ),
        ),
        "the clean twin gains more",
        _claim_19,
        choices=(
            "the two sets are the same problems for every seed, since the background text mentions them",
        ),
    ),
    Claim(
        20,
        FIRST[20].statement,
        FIRST[20].source,
        tuple(place(m, a) for m in HARD_MIXTURES for a in (HARD_ARM, NEUTRAL)),
        (
            Criterion(
                "difference",
                f"difference/gain/greedy/{HARD}",
                "below",
                0.0,
                "gain of greedy pass@1 on hard problems, RL on hard minus RL on easier problems",
            ),
        ),
        "in one of the three mixtures RL on hard problems gains more",
        _claim_20,
        premises=(HARD_IS_HARD,),
    ),
)
