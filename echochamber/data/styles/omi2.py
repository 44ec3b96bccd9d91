"""Steps in words with LaTeX maths; the answer stands in a box. No code."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import ORDINALS, calculation, capital, figure, label, last_sentence

_LEAD_INS = (
    "Let's go step by step.",
    "We take the steps one after another.",
    "We work through the facts in turn.",
)
_STEPS = (
    "{Label} is {maths}.",
    "{Ordinal}, {label} is {maths}.",
    "We find {label}: {maths}.",
)
_ENDS = (
    "The answer is {}.",
    "So the answer is {}.",
    "Hence the result is {}.",
    "This leaves us with the answer {}.",
)


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """One sentence per step, then the box."""
    lines = [choices.phrase(_LEAD_INS)] if choices.lead_in else []
    if choices.restate:
        lines.append(f"The question is: {last_sentence(problem.question)}")
    mark, times, divide = ("$", "\\times", "\\div") if choices.latex else ("", "*", "/")
    for position, step in enumerate(graph.steps):
        formula, value = calculation(graph, step, times, divide)
        name = label(step.name, step.owner)
        lines.append(
            choices.phrase(_STEPS).format(
                Label=capital(name),
                label=name,
                Ordinal=ORDINALS[min(position, 3)],
                maths=f"{mark}{formula} = {value}{mark}",
            )
        )
    box = f"\\boxed{{{figure(graph.steps[-1].value)}}}"
    return "\n".join([*lines, choices.phrase(_ENDS).format(f"${box}$" if choices.latex else box)])
