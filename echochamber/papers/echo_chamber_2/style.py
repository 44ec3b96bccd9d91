"""Claim 12: inside one format RL still changes style."""

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError
from ...claims.select import arm, minus
from ...core.study_tables import Tables
from ..echo_chamber.claim_set import CLAIMS as FIRST
from ..echo_chamber.style import FEATURES, feature_moves
from .places import COIN, NEUTRAL, ONE_FORMAT, place


def _claim_12(tables: Tables) -> Evidence:
    one, coin = arm(tables, ONE_FORMAT, NEUTRAL), arm(tables, ONE_FORMAT, COIN[NEUTRAL])
    measured: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    for feature in FEATURES:
        moved, drift = feature_moves(tables, one, feature), feature_moves(tables, coin, feature)
        if set(moved) & set(drift):
            measured.append(Measurement("beyond_coin", minus(moved, drift), feature))
            context += [
                Context("movement", moved, feature),
                Context("movement under a coin", drift, feature, "null"),
            ]
        else:
            notes.append(f"{feature}: not measured under both rewards")
    if not measured:
        raise NotTestableError("no style feature was measured under both rewards")
    return Evidence(tuple(measured), tuple(context), tuple(notes))


CLAIMS = (
    Claim(
        12,
        FIRST[12].statement,
        FIRST[12].source,
        (place(ONE_FORMAT, NEUTRAL), place(ONE_FORMAT, COIN[NEUTRAL])),
        (
            Criterion(
                "beyond_coin",
                f"difference/total_variation/style/{','.join(FEATURES)}/base,end",
                "above",
                0.10,
                "total variation of the feature's values inside tinygsm, base against end, minus the coin's",
            ),
        ),
        "no feature moves by more than 0.10 beyond what a coin does",
        _claim_12,
        holds="somewhere",
        nulls=(place(ONE_FORMAT, COIN[NEUTRAL]),),
        choices=(f"features: {', '.join(FEATURES)}, with Holm over them",),
    ),
)
