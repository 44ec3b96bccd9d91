"""Cross-fitting: the best checkpoint is picked on one half of the samples and measured on the other."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..core.study_tables import BASE, Tables, half_floor_item
from .declare import NotTestableError, Seeds
from .select import DEV, TEST, Arm, curve, settings

HalfCurves = dict[tuple[float, int], dict[int, dict[int, float]]]
"""(temperature, half) -> seed -> step -> value."""


def half_curves(tables: Tables, one: Arm, k: int, problem_set: str | None = None) -> HalfCurves:
    """pass@k of either half of the samples, the base at step 0.

    On the test split of the headline's set or another; where several evaluations have it at one temperature,
    the one with most values, the first by name among equals.
    """
    found: HalfCurves = {}
    bases: HalfCurves = {}
    for key in sorted((key for key in tables.halves if key[:3] == (one.mixture, one.size, one.arm)), key=str):
        _, _, _, start, problems, split, temperature, _, size, half = key
        mine = (start, problems, split, size) == (
            settings(tables, one)["from_step"],
            problem_set or tables.headline_set,
            TEST,
            k,
        )
        measured = tables.halves[key]
        if mine and _num_values(measured) > _num_values(found.get((temperature, half), {})):
            found[temperature, half] = dict(measured)
            bases[temperature, half] = tables.halves.get((one.mixture, one.size, BASE, *key[3:]), {})
    return {
        place: {seed: bases[place].get(seed, {}) | steps for seed, steps in by_seed.items()}
        for place, by_seed in found.items()
    }


def _num_values(by_seed: Mapping[int, Mapping[int, float]]) -> int:
    return sum(len(steps) for steps in by_seed.values())


def drop_from_maximum(
    tables: Tables,
    one: Arm,
    k: int,
    temperature_at: Callable[[int, int], float | None],
    problem_set: str | None = None,
    above_chance: bool = False,
) -> Seeds:
    """seed -> pass@k at its maximum before the end, minus at the end.

    `temperature_at` maps (seed, step) to the sampling temperature at which that checkpoint is read.
    The step of the maximum is chosen on one half and the difference taken on the other. Both ways are
    averaged. So the maximum has no selection bias. `above_chance`: less each checkpoint's chance floor;
    checkpoints without one are left out.
    """
    last = settings(tables, one)["steps"]
    curves = half_curves(tables, one, k, problem_set)
    if above_chance:
        curves = _above_chance(tables, one, curves, problem_set or tables.headline_set)
    temperatures = {temperature for temperature, _ in curves}
    found: dict[int, float] = {}
    for seed in sorted({seed for by_seed in curves.values() for seed in by_seed}):
        halves: list[dict[int, float]] = [{}, {}]
        for half in (0, 1):
            steps = {
                step
                for temperature in temperatures
                for step in curves.get((temperature, half), {}).get(seed, {})
            }
            for step in steps:
                temperature = temperature_at(seed, step)
                value = (
                    None
                    if temperature is None
                    else curves.get((temperature, half), {}).get(seed, {}).get(step)
                )
                if value is not None:
                    halves[half][step] = value
        steps = set(halves[0]) & set(halves[1])
        earlier = sorted(step for step in steps if step < last)
        if last in steps and 0 in steps and len(earlier) >= 2:
            peaks = [max(earlier, key=lambda step: half[step]) for half in halves]
            found[seed] = sum(halves[1 - h][peaks[h]] - halves[1 - h][last] for h in (0, 1)) / 2
    if not found:
        raise NotTestableError(
            f"pass@{k} of {one} was not measured on two halves of the samples ({2 * k} "
            "completions per problem) "
            "at the base, the last checkpoint and one between, at the temperature asked for"
        )
    return found


def _above_chance(tables: Tables, one: Arm, curves: HalfCurves, problem_set: str) -> HalfCurves:
    """Each value less the chance floor of the same half, checkpoint and temperature."""
    floors = tables.findings.get((one.mixture, one.size, one.arm), {}).get(f"half_floors/{problem_set}", {})
    found: HalfCurves = {}
    for (temperature, half), by_seed in curves.items():
        for seed, steps in by_seed.items():
            for step, value in steps.items():
                floor = floors.get(half_floor_item(temperature, step, half), {}).get(seed)
                if floor is not None:
                    found.setdefault((temperature, half), {}).setdefault(seed, {})[step] = value - floor
    return found


@dataclass(frozen=True)
class DevBest:
    """The best sampling temperature of each checkpoint on dev."""

    chosen: dict[tuple[int, int], float]
    tried: list[float]
    ties: int
    """Checkpoints at which several temperatures tie for the maximum."""

    def at(self, seed: int, step: int) -> float | None:
        """None where dev was not measured."""
        return self.chosen.get((seed, step))

    def summary(self) -> str:
        """`0.7 in 5, 1 in 3 checkpoints`."""
        counted = Counter(self.chosen.values())
        return (
            ", ".join(f"{temperature:g} in {number}" for temperature, number in sorted(counted.items()))
            + " checkpoints"
        )


def dev_best(
    tables: Tables, one: Arm, quantity: str, near: float | None = None, problem_set: str | None = None
) -> DevBest:
    """(seed, step) -> the temperature of highest `quantity` on dev.

    Ties go to the lowest temperature, or to the one nearest to `near`.
    """
    temperatures = sorted(
        {
            temperature
            for temperature, _ in tables.measured.get(
                (one.mixture, one.size, one.arm, problem_set or tables.headline_set, DEV, quantity), []
            )
        }
    )
    if len(temperatures) < 2:
        raise NotTestableError(
            f"{quantity} of {one} was measured on dev at {len(temperatures)} temperatures; at "
            "least two are needed"
        )
    curves = {
        temperature: curve(tables, one, quantity, problem_set, split=DEV, temperature=temperature)
        for temperature in temperatures
    }
    places = {
        (seed, step) for by_seed in curves.values() for seed, steps in by_seed.items() for step in steps
    }

    def score(temperature: float, seed: int, step: int) -> float:
        return curves[temperature].get(seed, {}).get(step, -1.0)

    order = (
        temperatures
        if near is None
        else sorted(temperatures, key=lambda temperature: abs(temperature - near))
    )
    scores = {
        (seed, step): [score(temperature, seed, step) for temperature in order]
        for seed, step in sorted(places)
    }
    ties = sum(found.count(max(found)) > 1 for found in scores.values())
    return DevBest(
        {place: order[int(np.argmax(found))] for place, found in scores.items()}, temperatures, ties
    )
