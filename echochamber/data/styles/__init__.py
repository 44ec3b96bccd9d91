"""Solution styles: one small file for each format that RL may amplify or suppress."""

from collections.abc import Callable

from ...core.errors import UserError
from ...core.types import Problem, SolutionGraph
from ..world.stream import Stream
from . import gsm8k, metamath, omi1, omi2, tinygsm
from .knobs import Choices, StyleKnobs, toss

Renderer = Callable[[Problem, SolutionGraph, Choices], str]

STYLES: dict[str, Renderer] = {
    "tinygsm": tinygsm.render,
    "omi1": omi1.render,
    "omi2": omi2.render,
    "metamath": metamath.render,
    "gsm8k": gsm8k.render,
}
"""Style name -> renderer; the names are those of the tracked formats."""
_DEFAULT_KNOBS = StyleKnobs()


def render(
    problem: Problem,
    style: str,
    stream: Stream,
    knobs: StyleKnobs = _DEFAULT_KNOBS,
    graph: SolutionGraph | None = None,
) -> str:
    """The solution of a world problem in a style: solution text only, without the question.

    `graph` replaces the problem's own solution, for wrong solutions; `stream` is anything with a
    `random()` method, such as `np.random.Generator`.
    """
    if style not in STYLES:
        raise UserError(f"style {style!r} is unknown; there are {', '.join(STYLES)}")
    solution = graph or problem.graph
    if solution is None:
        raise UserError(f"problem {problem.id!r} has no solution graph; only world problems can be rendered")
    return STYLES[style](problem, solution, toss(knobs, stream))


__all__ = ["STYLES", "Choices", "Renderer", "StyleKnobs", "render"]
