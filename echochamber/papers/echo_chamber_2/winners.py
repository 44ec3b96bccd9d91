"""Claims 7, 8, 9 and 13: which format wins where the frequent one is worse, over mixtures and over sizes."""

from ...claims.crossfit import drop_from_maximum
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
from ...claims.select import arm, base, mean_over, minus, settings
from ...core.study_tables import Tables
from ..echo_chamber.claim_set import CLAIMS as FIRST
from ..echo_chamber.winners import accuracies
from .outcomes import greedy_end, winner_counts, winners, yes_no
from .places import FACTORIAL, FREQUENT, MATCHED, MORE_FREQUENT, NEUTRAL, PAPER, THREE, place
from .premises import FREQUENT_PREMISES, frequent_and_worse
from .rankings import (
    forecast_winners,
    hits,
    most_accurate,
    most_frequent,
    others_win,
    shortest,
    zip_seeds,
)

HALF = 0.5
SIZED = (THREE, "acc_omi1_freq_tg_short_omi2")
FEWER_TOKENS = "_fewer_tokens"
"""Ends the name of a mixture that the larger sizes are trained on."""
CLOSE = 0.05
"""Difference of mean base accuracy up to which two sizes are matched."""


def _claim_7(tables: Tables) -> Evidence:
    one = arm(tables, FREQUENT, NEUTRAL)
    context, notes = [], [winner_counts(tables, one)]
    if (FREQUENT, one.size, PAPER) in tables.runs:
        paper = arm(tables, FREQUENT, PAPER)
        context.append(Context("another format wins under the paper's PPO", others_win(tables, paper)))
        notes.append(winner_counts(tables, paper))
    known = accuracies(tables, one)
    for name in sorted({name for of in known.values() for name in of}):
        seeds = {seed: of[name] for seed, of in known.items() if name in of}
        context.append(Context("accuracy at the base", seeds, name))
    measured = (Measurement("another_wins", others_win(tables, one)),)
    return Evidence(measured, tuple(context), tuple(notes), premises=frequent_and_worse(tables, one))


def _claim_8(tables: Tables) -> Evidence:
    eight, four = (arm(tables, mixture, NEUTRAL) for mixture in (MORE_FREQUENT, FREQUENT))
    heat = settings(tables, eight)["temperature"]
    measured = (
        Measurement("frequent_wins", hits(tables, eight, most_frequent(tables, eight))),
        Measurement("pass@1", minus(greedy_end(tables, eight), greedy_end(tables, four))),
        Measurement("late_fall", drop_from_maximum(tables, eight, 1, lambda seed, step: heat)),
    )
    notes = [winner_counts(tables, eight)]
    if (MORE_FREQUENT, eight.size, PAPER) in tables.runs:
        notes.append(winner_counts(tables, arm(tables, MORE_FREQUENT, PAPER)))
    return Evidence(measured, (), tuple(notes), premises=frequent_and_worse(tables, eight))


DECORRELATED = Premise(
    "roles_differ",
    "rate/accurate_frequent_shortest_differ",
    HALF,
    None,
    "share of the factorial in which the most accurate format is neither the most frequent nor the shortest",
)


def _claim_9(tables: Tables) -> Evidence:
    rates: dict[str, dict[str, Seeds]] = {}
    notes: list[str] = []
    for mixture in FACTORIAL:
        one = arm(tables, mixture, NEUTRAL)
        ranks = {
            "most accurate": most_accurate(tables, one),
            "most frequent": most_frequent(tables, one),
            "shortest": shortest(tables, one),
        }
        for label, ranked in (ranks | forecast_winners(tables, one)).items():
            rates.setdefault(label, {})[mixture] = hits(tables, one, ranked)
        roles = zip_seeds(*ranks.values())
        rates.setdefault("roles", {})[mixture] = {
            s: yes_no(accurate not in (frequent, short)) for s, (accurate, frequent, short) in roles.items()
        }
        if (mixture, one.size, PAPER) in tables.runs:
            paper = arm(tables, mixture, PAPER)
            rates.setdefault("most accurate, the paper's PPO", {})[mixture] = hits(
                tables, paper, most_accurate(tables, paper)
            )
        notes.append(winner_counts(tables, one))
    means = {label: mean_over(parts, "the factorial") for label, parts in rates.items()}
    decided = {seed: yes_no(rate > HALF) for seed, rate in means["most accurate"].items()}
    context = tuple(
        Context(f"share of the factorial won by: {label}", means[label])
        for label in means
        if label != "roles"
    )
    premise = Measurement(DECORRELATED.id, means["roles"])
    return Evidence((Measurement("accurate_wins", decided),), context, tuple(notes), premises=(premise,))


def _claim_13(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    premises: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    small, large = tables.sizes[0], tables.sizes[-1]
    if small == large:
        raise NotTestableError(f"the study has one size, {small}")
    for mixture in SIZED:
        names = {size: mixture + ("" if size == small else FEWER_TOKENS) for size in tables.sizes}
        ends = {size: arm(tables, names[size], MATCHED, size) for size in (small, large)}
        first, last = (winners(tables, ends[size]) for size in (small, large))
        differ = {
            s: yes_no(first[s] is not None and last[s] is not None and first[s] != last[s])
            for s in first
            if s in last
        }
        measured.append(Measurement("winners_differ", differ, mixture))
        apart = minus(base(tables, ends[small], "accuracy"), base(tables, ends[large], "accuracy"))
        premises.append(Measurement("matched", apart, mixture))
        for size in tables.sizes:
            if (names[size], size, MATCHED) in tables.runs:
                one = arm(tables, names[size], MATCHED, size)
                same = winners(tables, one)
                agree = {s: yes_no(same[s] is not None and same[s] == first[s]) for s in same if s in first}
                context.append(Context(f"{size} has the winner of {small}", agree, mixture))
                notes.append(f"{size}: {winner_counts(tables, one)}")
                for label, ranked in forecast_winners(tables, one).items():
                    context.append(
                        Context(f"{label} names the winner of {size}", hits(tables, one, ranked), mixture)
                    )
    return Evidence(tuple(measured), tuple(context), tuple(notes), premises=tuple(premises))


CLAIMS = (
    Claim(
        7,
        FIRST[7].statement,
        FIRST[7].source,
        (place(FREQUENT, NEUTRAL), place(FREQUENT, PAPER)),
        (
            Criterion(
                "another_wins",
                "winner_is_not_most_frequent/greedy",
                "above",
                HALF,
                "1 where the winner is another format than the base's most frequent one, else 0",
                "yes_no",
            ),
        ),
        "in more than half of the seeds the most frequent format wins, or nobody does",
        _claim_7,
        premises=FREQUENT_PREMISES,
        choices=("one mixture, four copies of a worse omi1; PPO with lambda 1 decides",),
    ),
    Claim(
        8,
        FIRST[8].statement,
        FIRST[8].source,
        (place(MORE_FREQUENT, NEUTRAL), place(FREQUENT, NEUTRAL), place(MORE_FREQUENT, PAPER)),
        (
            Criterion(
                "frequent_wins",
                "winner_is_most_frequent/greedy",
                "above",
                HALF,
                "1 where the base's most frequent format wins, else 0",
                "yes_no",
            ),
            Criterion(
                "pass@1", "difference/greedy/end", "below", 0.0, "greedy pass@1 at the end, 8 copies minus 4"
            ),
            Criterion(
                "late_fall",
                "fall_from_maximum/accuracy/training_temperature",
                "above",
                0.02,
                "sampled pass@1 at its earlier maximum minus at the end",
            ),
        ),
        "another winner, a pass@1 no lower than with 4 copies, or no late fall",
        _claim_8,
        premises=FREQUENT_PREMISES,
        choices=(
            "the late fall is of sampled pass@1; either half of the samples chooses the other's maximum",
        ),
    ),
    Claim(
        9,
        FIRST[9].statement,
        FIRST[9].source,
        tuple(place(mixture, NEUTRAL) for mixture in FACTORIAL),
        (
            Criterion(
                "accurate_wins",
                "most_accurate_wins_in_most_mixtures/greedy",
                "above",
                HALF,
                "1 where the base's most accurate format wins in more than half of the factorial, else 0",
                "yes_no",
            ),
        ),
        "in more than half of the factorial another format wins, or nobody",
        _claim_9,
        premises=(DECORRELATED,),
        choices=(
            "each seed answers yes or no for the whole factorial, so that seeds are the independent units",
            "formats with under 1% of the base's completions are not ranked",
        ),
    ),
    Claim(
        13,
        FIRST[13].statement,
        FIRST[13].source,
        tuple(place(mixture + end, MATCHED) for mixture in SIZED for end in ("", FEWER_TOKENS)),
        (
            Criterion(
                "winners_differ",
                "winners_differ/smallest,largest/greedy",
                "above",
                HALF,
                "1 where the smallest and the largest size have different winners, else 0",
                "yes_no",
            ),
        ),
        "at matched base accuracy the winners agree, or one has none, in more than half of the seeds",
        _claim_13,
        holds="somewhere",
        premises=(
            Premise(
                "matched",
                "difference/base_accuracy/smallest,largest",
                -CLOSE,
                CLOSE,
                "base accuracy, small minus large",
            ),
        ),
        choices=(
            "one of the two mixtures must show it, with Holm; matched seed by seed by `grid.from_step`",
            "RLOO, which is neutral as well and needs no critic at 10 M parameters",
        ),
    ),
)
