"""A Python function whose value is the answer."""

from ...core.types import Problem, SolutionGraph
from .knobs import Choices
from .terms import code_lines, last_sentence


def render(problem: Problem, graph: SolutionGraph, choices: Choices) -> str:
    """Head, docstring, one assignment per step, `result`, return."""
    lines = ["def simple_math_problem()" + (" -> int:" if choices.type_hints else ":")]
    if choices.docstring:
        lines += _docstring(
            problem.question if choices.full_docstring else last_sentence(problem.question), choices
        )
    assignments, answer = code_lines(graph, choices)
    lines += [f"    {line}" for line in assignments]
    lines += [f"    result = {answer}", "    return result"]
    return "\n".join(lines)


def _docstring(text: str, choices: Choices) -> list[str]:
    mark, other = ('"', "'") if choices.double_quotes else ("'", '"')
    if choices.docstring_form == "line":
        mark = other if mark in text else mark  # an apostrophe would end the string
        return [f"    {mark}{text}{mark}"]
    return [f"    {3 * mark}", f"    {text}", f"    {3 * mark}"]
