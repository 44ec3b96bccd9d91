"""Claims 7, 8, 10 and 11: what repeating one source in pretraining does to the outcome of RL."""

from math import log2

from ...claims.crossfit import drop_from_maximum
from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError, Seeds
from ...claims.select import (
    Arm,
    arm,
    base,
    base_shares,
    curve,
    end,
    end_shares,
    gain,
    lead,
    minus,
    settings,
    winner,
)
from ...core.study_tables import Tables
from .winners import accuracies, hits

TINYGSM, OMI1 = "tinygsm", "omi1"
THREE = "tg_omi1_omi2"
TG_COPIES = {1: "tg", 2: "2xtg", 4: "4xtg", 8: "8xtg"}
EQUAL_TOKENS = ("4xtg_equal", "tg_4xomi1_equal")
OVER_HALF = 0.5
MAJ_MARGIN = 0.05


def leads(tables: Tables, one: Arm, name: str) -> Seeds:
    """seed -> lead of a format at the last checkpoint; above 0 where it is the winner."""
    return {seed: lead(of, name) for seed, of in end_shares(tables, one).items()}


def _claim_7(tables: Tables) -> Evidence:
    one = arm(tables, "tg_4xomi1", "ppo")
    start = {seed: of.get(OMI1, 0.0) for seed, of in base_shares(tables, one).items()}
    fitting = [seed for seed, share in start.items() if share > OVER_HALF]
    if len(fitting) < 3:
        raise NotTestableError(
            f"the base writes over half {OMI1} in {len(fitting)} of {len(start)} seeds of "
            f"tg_4xomi1; three are needed. More copies of {OMI1} would test it"
        )
    ahead = leads(tables, one, TINYGSM)
    known = accuracies(tables, one)
    context = [Context("base share of omi1", start)]
    context += [
        Context("accuracy at the base", {s: of[name] for s, of in known.items() if name in of}, name)
        for name in (OMI1, TINYGSM)
    ]
    caveats = []
    if (THREE, one.size, "ppo") in tables.runs:
        three = arm(tables, THREE, "ppo")
        frequent = hits(tables, three, base_shares(tables, three))
        caveats.append(
            f"judged by the paper's example, four copies of {OMI1}, which is the more accurate "
            f"format of {sum(winner(of) == OMI1 for of in known.values())} of {len(known)} bases "
            "there; "
            f"in {THREE} the most frequent format wins in {sum(frequent.values()):.0f} of "
            f"{len(frequent)} seeds"
        )
    return Evidence(
        (Measurement("lead", {s: ahead[s] for s in fitting if s in ahead}),),
        tuple(context),
        (),
        tuple(caveats),
    )


def _claim_8(tables: Tables) -> Evidence:
    eight, four = arm(tables, "tg_8xomi1", "ppo"), arm(tables, "tg_4xomi1", "ppo")
    temperature = settings(tables, eight)["temperature"]
    return Evidence(
        (
            Measurement("lead", leads(tables, eight, OMI1)),
            Measurement("pass@1", minus(end(tables, eight, "accuracy"), end(tables, four, "accuracy"))),
            Measurement("late_fall", drop_from_maximum(tables, eight, 1, lambda seed, step: temperature)),
        )
    )


def _claim_10(tables: Tables) -> Evidence:
    measured = [
        Measurement(q, slope({c: end(tables, arm(tables, m, "ppo"), q) for c, m in TG_COPIES.items()}))
        for q in QUANTITIES
    ]
    context = []
    for mixture in EQUAL_TOKENS:
        if (mixture, tables.size, "ppo") in tables.runs:
            context.append(
                Context(
                    "pass@1 at the end, equal tokens",
                    end(tables, arm(tables, mixture, "ppo"), "accuracy"),
                    mixture,
                )
            )
    base_slope = slope({c: base_accuracy(tables, arm(tables, m, "ppo")) for c, m in TG_COPIES.items()})
    return Evidence(tuple(measured), (*context, Context("the same slope of pass@1 before RL", base_slope)))


def base_accuracy(tables: Tables, one: Arm) -> Seeds:
    """seed -> pass@1 of the base."""
    return {seed: steps[0] for seed, steps in curve(tables, one, "accuracy").items()}


def slope(by_copies: dict[int, Seeds]) -> Seeds:
    """seed -> least-squares slope on log2(copies), over the seeds that every number of copies has."""
    common = sorted(set.intersection(*(set(seeds) for seeds in by_copies.values())))
    if not common:
        raise NotTestableError("the arms with different numbers of copies share no seed")
    x = [log2(copies) for copies in by_copies]
    centre = sum(x) / len(x)
    spread = sum((v - centre) ** 2 for v in x)
    return {
        s: sum((v - centre) * seeds[s] for v, seeds in zip(x, by_copies.values(), strict=True)) / spread
        for s in common
    }


QUANTITIES = ("accuracy", "pass@64", "maj@64")


def _claim_11(tables: Tables) -> Evidence:
    measured, context, tight = [], [], []
    for mixture in TG_COPIES.values():
        one = arm(tables, mixture, "ppo")
        measured += [
            Measurement("pass@64", gain(tables, one, "pass@64"), mixture),
            Measurement("maj@64", gain(tables, one, "maj@64"), mixture),
        ]
        room = {seed: 1 - value for seed, value in base(tables, one, "maj@64").items()}
        context.append(Context("1 minus the base's maj@64", room, mixture))
        if sum(room.values()) / len(room) < MAJ_MARGIN:
            tight.append(mixture)
    caveat = (
        f"{', '.join(tight)}: the base's maj@64 is within the margin of {MAJ_MARGIN:g} of 1, so "
        "support is impossible and a contradiction is a ceiling effect"
    )
    return Evidence(tuple(measured), tuple(context), (), (caveat,) if tight else ())


CLAIMS = (
    Claim(
        7,
        "The winner need not be the base's most frequent format",
        "3.2, Fig. 4a",
        ("tg_4xomi1/ppo",),
        (
            Criterion(
                "lead",
                "lead/tinygsm/end",
                "above",
                0.0,
                "share of tinygsm at the end minus the largest other share",
            ),
        ),
        "where the base writes over half omi1, another format than tinygsm wins",
        _claim_7,
        choices=(
            "a winner is measured by its lead over the strongest rival, which is above 0 exactly "
            "when it wins",
            f"seeds whose base writes over {OVER_HALF:g} omi1 are the evidence; fewer than three "
            "make it not testable",
        ),
    ),
    Claim(
        8,
        "With 8 copies of omi1 RL ends at omi1, less accurate than with 4 copies, and degrades late",
        "3.2, Fig. 4b",
        ("tg_8xomi1/ppo", "tg_4xomi1/ppo"),
        (
            Criterion(
                "lead",
                "lead/omi1/end",
                "above",
                0.0,
                "share of omi1 at the end minus the largest other share",
            ),
            Criterion(
                "pass@1", "difference/accuracy/end", "below", 0.0, "pass@1 at the end, 8 copies minus 4"
            ),
            Criterion(
                "late_fall",
                "fall_from_maximum/accuracy/training_temperature",
                "above",
                0.02,
                "pass@1 at its earlier maximum minus at the end",
            ),
        ),
        "another winner, a pass@1 no lower than with 4 copies, or no late fall",
        _claim_8,
        choices=(
            "the maximum before the end is chosen on one half of the samples and measured on the "
            "other, as in claim 4",
        ),
    ),
    Claim(
        10,
        "More copies of TinyGSM give higher accuracy after RL",
        "3.3, Fig. 5",
        tuple(f"{m}/ppo" for m in TG_COPIES.values()),
        tuple(
            Criterion(
                q,
                f"slope_on_log2_copies/{q}",
                "above",
                0.0,
                f"slope of {'pass@1' if q == 'accuracy' else q} at the end on log2(copies)",
            )
            for q in QUANTITIES
        ),
        "one of the three slopes is below 0",
        _claim_10,
        choices=("figures at the last checkpoint; the paper plots the best epoch of each metric",),
    ),
    Claim(
        11,
        "In those runs pass@64 does not rise above its start while maj@64 rises",
        "App. D.2, Fig. 10",
        tuple(f"{m}/ppo" for m in TG_COPIES.values()),
        (
            Criterion("pass@64", "gain/pass@64", "below", 0.02, "pass@64 at the end minus at the base"),
            Criterion("maj@64", "gain/maj@64", "above", MAJ_MARGIN, "maj@64 at the end minus at the base"),
        ),
        "in one of the four mixtures pass@64 rises by more than 0.02 or maj@64 by less than 0.05",
        _claim_11,
        choices=(
            "all four mixtures must meet both conditions; contradiction by one mixture is "
            "corrected by Holm over the four",
        ),
    ),
)
