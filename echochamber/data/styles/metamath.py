"""Prose steps, the answer after four hashes and again after a fixed phrase."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import calculation, capital, figure, label, last_sentence

_LEAD_INS = ("Let us see what we know.", "We start from what is given.", "We use the facts of the story.")
_STEPS = (
    "{Label} is {formula} = {value}.",
    "So {label} is {formula} = {value}.",
    "This means that {label} is {formula} = {value}.",
)


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """One sentence per step, `#### 18`, `The answer is: 18`."""
    lines = [choices.phrase(_LEAD_INS)] if choices.lead_in else []
    if choices.restate:
        lines.append(f"We are asked: {last_sentence(problem.question)}")
    for step in graph.steps:
        formula, value = calculation(graph, step, "*", "/", choices.spaced)
        name = label(step.name, step.owner)
        lines.append(
            choices.phrase(_STEPS).format(Label=capital(name), label=name, formula=formula, value=value)
        )
    answer = figure(graph.steps[-1].value)
    return "\n".join([*lines, f"#### {answer}", f"The answer is: {answer}"])
