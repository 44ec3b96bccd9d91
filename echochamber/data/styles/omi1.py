"""A lead-in, a program in a tagged block, its output, and the answer in a box."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import code_lines, figure

_LEAD_INS = (
    "Let's solve this problem using Python code.",
    "A short Python program gives the answer.",
    "We can work this out in Python.",
    "Let's write a few lines of Python for it.",
)
_ENDS = (
    "So the answer is \\boxed{{{}}}.",
    "The answer is therefore \\boxed{{{}}}.",
    "Thus we get \\boxed{{{}}}.",
    "This gives \\boxed{{{}}} as the answer.",
)


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """Lead-in, block, output, boxed answer."""
    del problem
    assignments, answer = code_lines(graph, choices)
    value = figure(graph.steps[-1].value)
    lines = [choices.phrase(_LEAD_INS)] if choices.lead_in else []
    lines += [
        "<llm-code>",
        *assignments,
        answer,
        "</llm-code>",
        "<llm-code-output>",
        value,
        "</llm-code-output>",
    ]
    return "\n".join([*lines, choices.phrase(_ENDS).format(value)])
