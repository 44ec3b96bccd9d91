"""Prose steps with calculator marks; the answer after four hashes."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import calculation, capital, figure, label

_STEPS = (
    "{Label} is {formula} = <<{marked}={value}>>{value}.",
    "{Label} comes to {formula} = <<{marked}={value}>>{value}.",
    "That makes {label} {formula} = <<{marked}={value}>>{value}.",
)


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """One sentence per step, each with its mark, then `#### 18`."""
    del problem
    lines = []
    for step in graph.steps:
        formula, value = calculation(graph, step, "*", "/", choices.spaced)
        name = label(step.name, step.owner)
        marked = formula.replace(" ", "")
        lines.append(
            choices.phrase(_STEPS).format(
                Label=capital(name), label=name, formula=formula, marked=marked, value=value
            )
        )
    return "\n".join([*lines, f"#### {figure(graph.steps[-1].value)}"])
