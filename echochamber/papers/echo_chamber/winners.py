"""Claims 9 and 13: which format wins, over mixtures and over sizes."""

from collections.abc import Mapping
from itertools import combinations

import polars as pl

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError, Seeds
from ...claims.select import Arm, arm, base, base_shares, end_shares, mean_over, minus, winner, winners
from ...core.study_tables import OBSERVED, Tables
from .labels import FORECAST_LABELS

WRITTEN = 0.01
"""Share of the base's completions under which a format's accuracy is not known well enough to rank it."""
MATCHED = 0.05
CLOSE = 0.02
"""Lead in base accuracy under which the most accurate format is a matter of chance."""
SIZE_ARM = "ppo_matched"
MIXTURES = ("tg_omi1", "tg_2xomi1", "tg_4xomi1", "tg_8xomi1", "tg_omi2", "omi2_mmqa", "tg_omi1_omi2")
"""The paper's mixtures of at least two formats."""


def accuracies(tables: Tables, one: Arm) -> dict[int, dict[str, float]]:
    """seed -> format -> accuracy at the base, of formats with at least `WRITTEN` of the completions."""
    found: dict[int, dict[str, float]] = {}
    for seed, of in base_shares(tables, one).items():
        for name, share in of.items():
            if share >= WRITTEN and name != "other":
                right = base(tables, one, f"right/{name}").get(seed, 0.0)
                found.setdefault(seed, {})[name] = right / share
    return found


def _close(known: Mapping[int, Mapping[str, float]]) -> int:
    """Seeds whose two most accurate formats are too near to be told apart by a few thousand completions."""
    best = [sorted(of.values())[-2:] for of in known.values() if len(of) > 1]
    return sum(first - second < CLOSE for second, first in best)


def hits(tables: Tables, one: Arm, ranked: Mapping[int, Mapping[str, float]]) -> Seeds:
    """seed -> 1 where the winner at the end is the first of what `ranked` knows of the base, else 0."""
    return {
        s: float(winner(of) == winner(ranked[s])) for s, of in end_shares(tables, one).items() if s in ranked
    }


def _claim_9(tables: Tables) -> Evidence:
    accurate: dict[str, Seeds] = {}
    frequent: dict[str, Seeds] = {}
    left_out: list[str] = []
    for mixture in MIXTURES:
        one = arm(tables, mixture, "ppo")
        known, start = accuracies(tables, one), base_shares(tables, one)
        if any(len(known.get(seed, {})) < 2 for seed in start):
            left_out.append(mixture)
            continue
        accurate[mixture] = hits(tables, one, known)
        frequent[mixture] = hits(
            tables,
            one,
            {s: {n: share for n, share in of.items() if n in known[s]} for s, of in start.items()},
        )
    if len(accurate) < 2:
        raise NotTestableError(
            "fewer than two mixtures have a base that writes at least two formats in every seed"
        )
    notes = [
        f"{mixture}: most accurate wins in {sum(by_seed.values()):.0f} of {len(by_seed)} seeds; "
        f"its base's two most accurate formats are within {CLOSE:g} of each other in "
        f"{_close(accuracies(tables, arm(tables, mixture, 'ppo')))}"
        for mixture, by_seed in accurate.items()
    ]
    notes += [f"left out, since some base writes a single format: {', '.join(left_out)}"] if left_out else []
    rate = mean_over(accurate, "the mixtures")
    return Evidence(
        (Measurement("rate", rate),),
        (Context("most frequent format wins, rate", mean_over(frequent, "the mixtures")),),
        tuple(notes),
    )


def _claim_13(tables: Tables) -> Evidence:
    found: dict[str, list[str]] = {}
    for mixture, size, name in tables.runs:
        if name == SIZE_ARM:
            found.setdefault(mixture, []).append(size)
    pairs = [
        (m, a, b)
        for m, sizes in found.items()
        for a, b in combinations(sorted(sizes, key=tables.sizes.index), 2)
    ]
    if not pairs:
        raise NotTestableError(f"no mixture has arm {SIZE_ARM} at two sizes")
    measured: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    caveats: list[str] = []
    for mixture, small, large in pairs:
        first, second = arm(tables, mixture, SIZE_ARM, small), arm(tables, mixture, SIZE_ARM, large)
        apart = minus(base(tables, first, "accuracy"), base(tables, second, "accuracy"))
        where = f"{mixture}, {small} against {large}"
        gap = sum(apart.values()) / len(apart)
        if abs(gap) > MATCHED:
            notes.append(
                f"{where}: base accuracies differ by {gap:+.3f}, more than {MATCHED}; choose "
                "another from_step"
            )
            continue
        ends = end_shares(tables, first), end_shares(tables, second)
        differ = {s: float(winner(ends[0][s]) != winner(ends[1][s])) for s in ends[0] if s in ends[1]}
        measured.append(Measurement("differ", differ, where))
        context.append(Context("base accuracy, small minus large", apart, where))
        caveats.append(
            f"{where}: matched in the mean over seeds; seed by seed the bases differ by "
            f"{', '.join(f'{gap:+.3f}' for gap in apart.values())}"
        )
        notes += [
            f"{winners(small, tables, first)}; {winners(large, tables, second)}",
            f"{where}: {_forecast(tables, first, second)}",
        ]
    if not measured:
        raise NotTestableError("; ".join(notes))
    return Evidence(tuple(measured), tuple(context), tuple(notes), tuple(caveats))


def _forecast(tables: Tables, first: Arm, second: Arm) -> str:
    """Whether each forecast from the base says that the winners differ."""
    frame, said = tables.frames["forecasts"], []
    for name in frame["forecast"].unique(maintain_order=True):
        picks = []
        for one in (first, second):
            rows = frame.filter(
                (pl.col("mixture") == one.mixture)
                & (pl.col("size") == one.size)
                & (pl.col("arm") == one.arm)
                & (pl.col("forecast") == name)
            )
            picks.append(dict(rows.select("seed", "winner").rows()))
        shared = sorted(set(picks[0]) & set(picks[1]))
        if shared and name != OBSERVED:
            said.append(
                f"{FORECAST_LABELS[name]} in {sum(picks[0][s] != picks[1][s] for s in shared)} of "
                f"{len(shared)} seeds"
            )
    return "different winners are forecast by " + ", ".join(said) if said else "no forecasts"


CLAIMS = (
    Claim(
        9,
        "The winner is usually the base's most accurate format",
        "3.1-3.2",
        tuple(f"{m}/ppo" for m in MIXTURES),
        (
            Criterion(
                "rate",
                "rate/most_accurate_wins",
                "above",
                0.5,
                "share of mixtures in which PPO's winner is the base's most accurate format",
            ),
        ),
        "in more than half of the mixtures another format wins",
        _claim_9,
        choices=(
            "the seven mixtures of at least two formats, without any whose base writes one "
            "format only on some seed; null models, the phase map and controls that repeat a "
            "mixture do not count",
            f"formats with less than {WRITTEN:.0%} of the base's completions are not ranked by accuracy",
        ),
        next_experiment="more mixtures",
    ),
    Claim(
        13,
        "The same mixture at another size ends at another format",
        "3.4, Fig. 7, App. E",
        ("*/ppo_matched",),
        (
            Criterion(
                "differ",
                "winners_differ",
                "above",
                0.5,
                "1 where the two sizes have different winners, else 0",
            ),
        ),
        "at matched base accuracy the winners agree in more than half of the seeds",
        _claim_13,
        holds="somewhere",
        choices=(
            f"matched: mean base accuracies within {MATCHED:g} of each other, by from_step",
            "winners differ: in more than half of the seeds; with several mixtures or pairs of "
            "sizes one must, with Holm",
        ),
        next_experiment="a size farther away, matched again",
    ),
)
