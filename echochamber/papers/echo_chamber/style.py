"""Claim 12: inside one format RL still changes style."""

from itertools import combinations

import polars as pl

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError, Seeds
from ...claims.select import Arm, arm, settings, variation
from ...core.study_tables import BASE, Tables

MIXTURE, FORMAT = "tg", "tinygsm"
FEATURES = ("docstring", "quotes", "type_hint", "comments", "names", "givens")
"""Habits of a Python function that do not touch what it computes; docstring is the paper's."""
SAME, HARDLY = 0.02, 0.01
"""Relative difference under which two movements are one; movement under which there is none to compare."""
FEW = 20
"""Completions under which a share is not known."""


def feature_moves(tables: Tables, one: Arm, feature: str) -> Seeds:
    """seed -> total variation of a feature's values within `FORMAT`, from base to end.

    Seeds with fewer than `FEW` completions are left out.
    """
    frame = tables.frames["styles"].filter(
        (pl.col("mixture") == one.mixture)
        & (pl.col("size") == one.size)
        & (pl.col("format") == FORMAT)
        & (pl.col("feature") == feature)
    )
    how = settings(tables, one)
    found: dict[int, float] = {}
    start = pl.col("from_step").eq_missing(pl.lit(how["from_step"], pl.Int64))
    base = frame.filter((pl.col("arm") == BASE) & start & (pl.col("step") == 0))
    last = frame.filter((pl.col("arm") == one.arm) & (pl.col("step") == how["steps"]))
    for seed in sorted(set(base["seed"]) & set(last["seed"])):
        sides = [side.filter(pl.col("seed") == seed) for side in (base, last)]
        if min(int(side["completions"].sum()) for side in sides) >= FEW:
            found[seed] = variation(*(dict(side.select("word", "share").rows()) for side in sides))
    return found


def _claim_12(tables: Tables) -> Evidence:
    one, null = arm(tables, MIXTURE, "ppo"), arm(tables, MIXTURE, "ppo_random")
    measured: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    for feature in FEATURES:
        moved, drift = feature_moves(tables, one, feature), feature_moves(tables, null, feature)
        beyond = {seed: moved[seed] - drift[seed] for seed in moved if seed in drift}
        if beyond:
            measured += [
                Measurement("movement", {s: moved[s] for s in beyond}, feature),
                Measurement("beyond_random", beyond, feature),
            ]
            context.append(Context("movement under random reward", drift, feature, "null"))
        else:
            notes.append(
                f"{feature}: not measured in both arms (fewer than {FEW} completions of {FORMAT} on a side)"
            )
    if not measured:
        raise NotTestableError(f"no style feature of {FORMAT} was measured in both arms")
    return Evidence(tuple(measured), tuple(context), tuple(notes), _one_event(measured))


def _one_event(measured: list[Measurement]) -> tuple[str, ...]:
    """Features that move by the same amount on every seed: one habit, which Holm counts twice."""
    moved = {
        one.condition: one.seeds
        for one in measured
        if one.criterion == "movement" and min(one.seeds.values()) > HARDLY
    }
    pairs = [
        (a, b)
        for a, b in combinations(moved, 2)
        if set(moved[a]) == set(moved[b]) and all(abs(moved[b][s] / moved[a][s] - 1) < SAME for s in moved[a])
    ]
    return tuple(
        f"{a} and {b} move by the same on every seed: one habit, which the correction over "
        "features counts twice"
        for a, b in pairs
    )


CLAIMS = (
    Claim(
        12,
        "Inside one format RL still changes style",
        "3.3, Fig. 6",
        ("tg/ppo", "tg/ppo_random"),
        (
            Criterion(
                "movement",
                "total_variation/feature/base,end",
                "above",
                0.10,
                "total variation of the feature's values inside tinygsm, base against end (for "
                "yes and no: change of the share)",
            ),
            Criterion(
                "beyond_random",
                "difference/total_variation/feature/base,end",
                "above",
                0.10,
                "the same minus that of the random-reward arm",
            ),
        ),
        "no feature moves by more than 0.10 beyond what random reward does",
        _claim_12,
        holds="somewhere",
        nulls=("tg/ppo_random",),
        choices=(
            f"features: {', '.join(FEATURES)}; one of them must meet both conditions, with Holm "
            "over the features",
            "more than 0.10 beyond the random-reward arm: the difference of the two movements, "
            "the stricter reading",
            "movement without a sign, so that seeds may move either way; random reward has the "
            "same upward bias and is subtracted",
        ),
    ),
)
