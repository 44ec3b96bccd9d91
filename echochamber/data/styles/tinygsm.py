"""A Python function whose value is the answer."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import code_lines, last_sentence


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """Head, docstring, one assignment per step, `result`, return."""
    lines = ["def simple_math_problem()" + (" -> int:" if choices.type_hints else ":")]
    if choices.docstring:
        quotes = '"""' if choices.double_quotes else "'''"
        text = problem.question if choices.full_docstring else last_sentence(problem.question)
        lines += [f"    {quotes}", f"    {text}", f"    {quotes}"]
    assignments, answer = code_lines(graph, choices)
    lines += [f"    {line}" for line in assignments]
    lines += [f"    result = {answer}", "    return result"]
    return "\n".join(lines)
