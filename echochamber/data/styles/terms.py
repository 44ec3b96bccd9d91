"""Shared by the styles: variable names, code lines, labels and calculations of a solution graph."""

from fractions import Fraction
from functools import lru_cache
from itertools import chain, count, cycle
from keyword import iskeyword

from ...core.numbers import display_number
from ...core.types import Quantity, SolutionGraph, Step
from .knobs import Choices

_PROPER = {
    day.lower(): day for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
}
ORDINALS = ("First", "Next", "Then", "After that")


def figure(value: Fraction) -> str:
    """`display_number` with a short way for whole numbers."""
    return str(value.numerator) if value.denominator == 1 else display_number(value)


def used_nodes(graph: SolutionGraph) -> set[int]:
    """Positions of the quantities and steps that the answer rests on."""
    given = len(graph.quantities)
    open_nodes = [given + len(graph.steps) - 1]
    used: set[int] = set()
    while open_nodes:
        node = open_nodes.pop()
        if node not in used:
            used.add(node)
            if node >= given:
                open_nodes += (graph.steps[node - given].left, graph.steps[node - given].right)
    return used


def variable_names(graph: SolutionGraph, choices: Choices) -> list[str]:
    """A Python variable for each node."""
    nodes: list[Quantity | Step] = [*graph.quantities, *graph.steps]
    if choices.names == "descriptive":
        return [node.name for node in nodes]
    letters = cycle("abcdefghijkmnpqrstuvwxyz")
    shorten = _initials if choices.names == "short" else lambda _: next(letters)
    # Constants have no variable, so they do not use up a letter.
    wanted = [node.name if _is_constant(node) else shorten(node.name) for node in nodes]
    return _unlike_each_other(wanted)


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split("_"))


def _unlike_each_other(wanted: list[str]) -> list[str]:
    """The names with a number where one is taken or is a word of Python: `s`, `s2`, `s3`, `as2`."""
    chosen: list[str] = []
    for name in wanted:
        candidates = chain([] if iskeyword(name) else [name], (f"{name}{number}" for number in count(2)))
        chosen.append(next(candidate for candidate in candidates if candidate not in chosen))
    return chosen


def _is_constant(node: Quantity | Step) -> bool:
    return isinstance(node, Quantity) and node.constant


def code_lines(graph: SolutionGraph, choices: Choices) -> tuple[list[str], str]:
    """Assignments, and the expression or variable that holds the answer."""
    used = used_nodes(graph)
    names = variable_names(graph, choices)
    texts: list[str] = []
    lines: list[str] = []
    for index, quantity in enumerate(graph.quantities):
        number = figure(quantity.value)
        if quantity.constant or not choices.named_givens:
            texts.append(f"({number})" if "/" in number else number)
        else:
            texts.append(names[index])
            if index in used:
                lines.append(f"{names[index]} = {number}")
    for position, step in enumerate(graph.steps):
        index = len(graph.quantities) + position
        formula = f"{texts[step.left]} {code_sign(step)} {texts[step.right]}"
        if not choices.stepwise:
            texts.append(f"({formula})")
            continue
        texts.append(names[index])
        if index in used:
            if choices.comments:
                lines.append(f"# {label(step.name, step.owner)}")
            lines.append(f"{names[index]} = {formula}")
    last = texts[-1]
    return lines, last if choices.stepwise else last[1:-1]


def code_sign(step: Step) -> str:
    """The Python operator; whole quotients stay whole."""
    return "//" if step.op == "/" and step.value.denominator == 1 else step.op


@lru_cache(maxsize=4096)
def label(name: str, owner: str) -> str:
    """How prose calls a node: `new total`, `Ben's count`; numbered names lose their number."""
    words = [word for word in name.split("_") if not word.isdigit()]
    if owner and words[0] == owner.lower() and len(words) > 1:
        return f"{owner}'s {' '.join(words[1:])}"
    return "the " + " ".join(_PROPER.get(word, word) for word in words)


def calculation(
    graph: SolutionGraph, step: Step, times: str, divide: str, spaced: bool = True
) -> tuple[str, str]:
    """Both sides of a step in figures: (`12 + 5`, `17`)."""
    sign = {"*": times, "/": divide}.get(step.op, step.op)
    left, right = figure(graph.node(step.left).value), figure(graph.node(step.right).value)
    gap = " " if spaced else ""
    return f"{left}{gap}{sign}{gap}{right}", figure(step.value)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[0].upper() + text[1:]


def last_sentence(question: str) -> str:
    """What is asked, without the facts."""
    return question.rsplit(". ", 1)[-1]
