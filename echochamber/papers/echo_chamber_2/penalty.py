"""Claims 5, 6 and 21: what the KL penalty keeps alive, and where it leads in theory."""

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
from ...claims.select import Arm, arm, end_shares, gain, minus, second_share, settings, shift
from ...core.study_tables import KL_OPTIMUM, Tables
from ..echo_chamber.claim_set import CLAIMS as FIRST
from .outcomes import end_top_share, greedy_end, winner_counts
from .places import KL_0, KL_0_001, KL_WEIGHTS, NEUTRAL, ROOM, THREE, of_streams, place
from .premises import ROOM_PREMISES, room

MOVED = 0.10
"""Total variation from the base over which a forecast of no change is off (claim 21)."""
MOVES = Premise(
    "weights_that_move",
    "count/no_change_is_off",
    1.0,
    None,
    "KL weights at which no change is off by more than 0.10",
)


def _claim_5(tables: Tables) -> Evidence:
    low = arm(tables, THREE, NEUTRAL)
    measured: list[Measurement] = []
    for weight, name in KL_WEIGHTS.items():
        one, where = arm(tables, THREE, name), f"KL {weight}"
        second = {seed: second_share(of) for seed, of in end_shares(tables, one).items()}
        measured += [
            Measurement("second_format", second, where),
            Measurement("pass@1", minus(greedy_end(tables, one), greedy_end(tables, low)), where),
            Measurement("pass@64", gain(tables, one, "pass@64", ROOM), where),
        ]
    second = {seed: second_share(of) for seed, of in end_shares(tables, low).items()}
    context = (
        Context("second format's share", second, "KL 0.001"),
        Context("pass@64, end minus base", gain(tables, low, "pass@64", ROOM), "KL 0.001"),
    )
    return Evidence(tuple(measured), context, premises=room(tables, [low]))


def _claim_6(tables: Tables) -> Evidence:
    measured, context = [], []
    for name, statistic in (("pass@1", greedy_end), ("top_share", end_top_share)):
        sides = [
            {one: statistic(tables, arm(tables, THREE, one)) for one in arms} for arms in (KL_0, KL_0_001)
        ]
        measured.append(Measurement(name, minus(of_streams(sides[0]), of_streams(sides[1]))))
        first, second = sides[1].values()
        apart = minus(first, second, "the two RL seeds")
        context.append(Context(f"{name}, the two RL seeds at KL 0.001 apart", apart))
    notes = tuple(winner_counts(tables, arm(tables, THREE, name)) for name in (*KL_0, *KL_0_001))
    return Evidence(tuple(measured), tuple(context), notes)


def _optimum_distance(tables: Tables, one: Arm) -> Seeds:
    frame = tables.frames["forecasts"]
    rows = frame.filter(
        (frame["mixture"] == one.mixture)
        & (frame["size"] == one.size)
        & (frame["arm"] == one.arm)
        & (frame["forecast"] == KL_OPTIMUM)
    )
    if not len(rows):
        raise NotTestableError(f"{one} has no forecast by the KL optimum")
    return dict(sorted(rows.select("seed", "total_variation").rows()))


def _claim_21(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    for weight, name in KL_WEIGHTS.items():
        one, where = arm(tables, THREE, name), f"KL {weight}"
        effective = settings(tables, one)["kl_weight"]
        if effective is None or abs(effective - float(weight)) > 1e-9:
            raise NotTestableError(f"{one} has effective KL weight {effective}, not {weight}")
        still, forecast = shift(tables, one), _optimum_distance(tables, one)
        context += [
            Context("distance of the final shares from the base's", still, where, "null"),
            Context("distance of the final shares from the KL optimum", forecast, where),
        ]
        if sum(still.values()) / len(still) > MOVED:
            measured.append(Measurement("closer_than_no_change", minus(forecast, still), where))
        else:
            notes.append(f"{where}: the shares move by no more than {MOVED:g}, so it is left out")
    seeds = shift(tables, arm(tables, THREE, NEUTRAL))
    count = Measurement(MOVES.id, dict.fromkeys(seeds, float(len(measured))))
    return Evidence(tuple(measured), tuple(context), tuple(notes), premises=(count,))


CLAIMS = (
    Claim(
        5,
        FIRST[5].statement,
        FIRST[5].source,
        tuple(place(THREE, name) for name in (NEUTRAL, *KL_WEIGHTS.values())),
        (
            Criterion(
                "second_format",
                "second_share/end",
                "above",
                0.10,
                "second format's share at the end",
                "share",
            ),
            Criterion(
                "pass@1",
                "difference/greedy/end/kl_0.001",
                "within",
                0.03,
                "greedy pass@1 at the end, minus KL 0.001's",
            ),
            Criterion(
                "pass@64", f"gain/pass@64/{ROOM}", "above", -0.02, "pass@64 at the end minus at the base"
            ),
        ),
        "at every weight one of the conditions fails",
        _claim_5,
        holds="somewhere",
        premises=ROOM_PREMISES,
        choices=(
            "one of the four weights must meet every condition at once, with Holm over the four",
            "pass@64 is compared with the base on the level with headroom",
        ),
    ),
    Claim(
        6,
        FIRST[6].statement,
        FIRST[6].source,
        tuple(place(THREE, name) for name in (*KL_0, *KL_0_001)),
        (
            Criterion(
                "pass@1",
                "difference/greedy/end/mean_of_two_streams",
                "within",
                0.03,
                "greedy pass@1 at the end, KL 0 minus KL 0.001, mean over two RL seeds",
                "equivalence",
            ),
            Criterion(
                "top_share",
                "difference/top_share/end/mean_of_two_streams",
                "within",
                0.03,
                "largest format share at the end, KL 0 minus KL 0.001, mean over two RL seeds",
                "equivalence",
            ),
        ),
        "either figure differs by more than 0.03",
        _claim_6,
        choices=("two one-sided tests at 5% each; contradicted by the two-sided 95% interval",),
    ),
    Claim(
        21,
        FIRST[21].statement,
        FIRST[21].source,
        tuple(place(THREE, name) for name in KL_WEIGHTS.values()),
        (
            Criterion(
                "closer_than_no_change",
                "difference/total_variation/kl_optimum,no_change",
                "below",
                0.0,
                "distance of the final shares from the KL optimum minus their distance from the base's",
            ),
        ),
        "at a weight where the shares move the KL optimum is farther off than no change",
        _claim_21,
        premises=(MOVES,),
        choices=("all weights whose shares move by more than 0.10 in the mean must show it",),
    ),
)
