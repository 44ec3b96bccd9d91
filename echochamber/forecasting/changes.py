"""What would change the winner, read from forecasts of changed arms."""

import math
from collections.abc import Callable, Mapping, Sequence

from .outcome import Outcome
from .scenarios import Scenario

KEPT = 0.1
"""Expected final share from which a second behaviour counts as kept."""
_SMALLEST_COEF = 1e-3
"""Stands for a KL weight of 0 where weights are compared by their ratio."""

Tried = tuple[Scenario, Outcome]


def flips(outcome: Outcome, winner: str | None) -> bool:
    """Whether another behaviour wins for sure."""
    return outcome.winner is not None and outcome.winner != winner


def keeps_second(outcome: Outcome) -> bool:
    """Whether a second behaviour is expected to keep a share of `KEPT`."""
    return sorted(estimate.value for estimate in outcome.final_shares.values())[-2:][0] >= KEPT


def smallest_changes(
    tried: Sequence[Tried], now: Mapping[str, float], wanted: Callable[[Outcome], bool]
) -> list[Scenario]:
    """Of each setting the value nearest to today's with the wanted outcome; every algorithm that has it.

    `now`: setting -> today's number. Numbers are near by their ratio.
    """
    fitting = [scenario for scenario, outcome in tried if scenario.kind == "change" and wanted(outcome)]
    found = [scenario for scenario in fitting if scenario.key not in now]
    for key, value in now.items():
        numbers = [scenario for scenario in fitting if scenario.key == key]
        if numbers:
            found.append(min(numbers, key=lambda scenario: _distance(float(scenario.value), value)))
    return found


def _distance(one: float, other: float) -> float:
    return abs(math.log(max(one, _SMALLEST_COEF * 1e-3) / max(other, _SMALLEST_COEF * 1e-3)))
