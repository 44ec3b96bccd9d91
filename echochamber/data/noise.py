"""Wrong solutions as data: plausible mistakes whose later steps and answer follow from the error.

`random` noise makes another mistake each time, so greedy decoding averages it away and RL repairs
it. `systematic` noise makes the same mistake in every document of a (family, difficulty) cell, so
that nothing in the source says better.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from ..core.keys import key
from ..core.numbers import Number
from ..core.types import Operation, Problem, Quantity, SolutionGraph, Step
from .source_config import NoiseConfig
from .world import WorldConfig
from .world.draft import apply
from .world.stream import Stream, below, chance, pick, shuffled, stream

_OTHER: dict[str, Operation] = {"+": "-", "-": "+", "*": "+", "/": "-"}
_SLIPS = (1, -1, 10, -10, 2, -2)
_PROSE = ("omi2", "metamath", "gsm8k")
"""Styles that write each value out; a program computes its values, so it cannot slip."""

Mistake = Callable[[SolutionGraph, Stream], SolutionGraph | None]


def _recompute(
    quantities: tuple[Quantity, ...], steps: list[Step], slip_at: int = -1, slip: int = 0
) -> SolutionGraph | None:
    """Values of the steps anew, `slip` added to one of them; None for results no story would have."""
    values: list[Number] = [quantity.value for quantity in quantities]
    whole = all(quantity.value.denominator == 1 for quantity in quantities)
    done = []
    for position, step in enumerate(steps):
        if step.op == "/" and values[step.right] == 0:
            return None
        value = apply(step.op, values[step.left], values[step.right]) + (slip if position == slip_at else 0)
        if value <= 0 or (whole and value != int(value)):
            return None
        values.append(value)
        done.append(replace(step, value=quantities[0].value * 0 + value))
    return SolutionGraph(quantities, tuple(done))


def wrong_operation(graph: SolutionGraph, source: Stream) -> SolutionGraph | None:
    """One step adds where it should subtract, and the like."""
    position = below(source, len(graph.steps))
    steps = list(graph.steps)
    steps[position] = replace(steps[position], op=_OTHER[steps[position].op])
    return _recompute(graph.quantities, steps)


def wrong_operand(graph: SolutionGraph, source: Stream) -> SolutionGraph | None:
    """One step takes another number of the story."""
    position = below(source, len(graph.steps))
    step = graph.steps[position]
    others = [i for i in range(len(graph.quantities) + position) if i not in (step.left, step.right)]
    if not others:
        return None
    other = pick(source, others)
    steps = list(graph.steps)
    steps[position] = replace(step, right=other) if chance(source, 0.5) else replace(step, left=other)
    return _recompute(graph.quantities, steps)


def misread_number(graph: SolutionGraph, source: Stream) -> SolutionGraph | None:
    """A number of the question is read wrong: digits swapped, or one off."""
    givens = [i for i, quantity in enumerate(graph.quantities) if not quantity.constant]
    position = pick(source, givens)
    value = graph.quantities[position].value
    swapped = int(str(int(value))[::-1]) if value.denominator == 1 and value > 9 else 0
    wrong = swapped if swapped not in (0, value) else value + (1 if chance(source, 0.5) else -1)
    quantities = list(graph.quantities)
    quantities[position] = replace(quantities[position], value=value * 0 + wrong)
    return _recompute(tuple(quantities), list(graph.steps)) if wrong > 0 else None


def stop_early(graph: SolutionGraph, source: Stream) -> SolutionGraph | None:
    """The last step is left out."""
    del source
    return SolutionGraph(graph.quantities, graph.steps[:-1]) if len(graph.steps) > 1 else None


def arithmetic_slip(graph: SolutionGraph, source: Stream) -> SolutionGraph | None:
    """One result is off by a little, and the rest is computed from it."""
    position = below(source, len(graph.steps))
    return _recompute(graph.quantities, list(graph.steps), position, pick(source, _SLIPS))


MISTAKES: dict[str, Mistake] = {
    "operation": wrong_operation,
    "operand": wrong_operand,
    "misread": misread_number,
    "early_stop": stop_early,
    "slip": arithmetic_slip,
}
"""Kind of mistake -> how it is made; the kinds are those by which the paper sorts errors."""
_TRIES = 8


def mistake(graph: SolutionGraph, style: str, source: Stream) -> SolutionGraph:
    """The graph with one plausible mistake and a wrong answer; kinds are tried in a random order."""
    kinds = [name for name in MISTAKES if name != "slip" or style in _PROSE]
    right = graph.steps[-1].value
    for name in shuffled(source, kinds):
        for _ in range(_TRIES):
            wrong = MISTAKES[name](graph, source)
            if wrong is not None and wrong.steps[-1].value != right:
                return wrong
    # A last resort that always differs: the last result is one too large.
    last = replace(graph.steps[-1], value=right + 1)
    return SolutionGraph(graph.quantities, (*graph.steps[:-1], last))


@lru_cache(maxsize=64)
def systematic_cells(
    source_name: str, rate: float, families: tuple[str, ...], operations: tuple[int, int]
) -> frozenset[tuple[str, int]]:
    """The (family, difficulty) cells in which a source is always wrong: that share of them, by hash."""
    cells = [(family, count) for family in families for count in range(operations[0], operations[1] + 1)]
    cells.sort(key=lambda cell: key("cell", source_name, *cell))
    return frozenset(cells[: round(rate * len(cells))])


def noisy_graph(
    problem: Problem, style: str, source_name: str, noise: NoiseConfig, world: WorldConfig, source: Stream
) -> SolutionGraph | None:
    """A wrong solution where the noise says so, else None (the right solution stands)."""
    assert problem.graph is not None
    cell = (problem.family, problem.difficulty)
    if noise.systematic and cell in systematic_cells(
        source_name, noise.systematic, world.family_names, world.operations
    ):
        # The same stream for the whole cell: the same kind of mistake at the same step.
        return mistake(problem.graph, style, stream("mistake", source_name, *cell))
    if noise.random and chance(source, noise.random):
        return mistake(problem.graph, style, source)
    return None
