"""The rows of the comparison of arms, as the page's script draws them."""

from collections import Counter
from collections.abc import Sequence

from .arm_outcomes import ArmOutcome
from .headline import Tile
from .page_schema import ArmData, ArmScoreData

COMPARED = ("share", "accuracy", "pass@k")


def arm_table(outcomes: Sequence[ArmOutcome]) -> list[ArmData]:
    """One row per arm; empty for a study of one arm. pass@k is left out where the arms share no k above 1."""
    if len(outcomes) < 2:
        return []
    ks = {tile.k for outcome in outcomes for tile in outcome.tiles if tile.measure == "pass@k"}
    return [_row(outcome, max(ks) if len(ks) == 1 else 1) for outcome in outcomes]


def _row(outcome: ArmOutcome, k: int) -> ArmData:
    compared = [tile for tile in outcome.tiles if tile.measure in COMPARED]
    return {
        "label": outcome.label,
        "seeds": len(outcome.winners),
        "planned": len(outcome.seeds),
        "winners": dict(Counter(outcome.winners).most_common()),
        "null": outcome.tiles[0].null_after if outcome.tiles else None,
        "k": k,
        "scores": {tile.measure: _score(tile) for tile in compared if tile.measure != "pass@k" or k > 1},
    }


def _score(tile: Tile) -> ArmScoreData:
    bounds = list(tile.after_interval) if tile.after_interval else None
    return {"before": tile.before, "after": tile.after, "after_interval": bounds, "direction": tile.direction}
