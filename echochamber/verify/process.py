"""Right answer by right steps, or by luck? World problems know every intermediate value.

A solution has right steps when its arithmetic holds and one of two conditions is met. Either every
operation of the reference solution appears in it, with the same values. Or it computes the same function
of the question's numbers: both are evaluated at random numbers, which tells two different rational
functions apart except with probability about degree / 2^61 (Schwartz 1980). So another order of steps is
right as well. Values that agree by coincidence are not.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from ..core.keys import key
from ..core.numbers import Number
from ..core.types import SolutionGraph, Step
from .written_steps import Operand, Written, WrittenOperation, simple

FirstError = Literal[
    "",
    "misread_number",
    "wrong_operation",
    "wrong_operand",
    "arithmetic_slip",
    "missing_step",
    "incomplete",
    "broken_format",
]
_PRIME = 2**61 - 1
_Signature = tuple[str, Number, Number]


@dataclass(frozen=True, slots=True)
class ProcessVerdict:
    """`process` is `right_steps` or `wrong_steps`; `first_error` names what went wrong first."""

    process: Literal["right_steps", "wrong_steps"]
    first_error: FirstError = ""


def check_process(
    graph: SolutionGraph, format_name: str, written: Written, correct: bool, answered: bool
) -> ProcessVerdict:
    """Judge the steps of one completion against the world's solution.

    `correct`, `answered`: the grader's verdict on the answer; right steps need a right answer.
    """
    needed = needed_steps(graph)
    if (
        correct
        and written.readable
        and not _slip(written)
        and (_covers(written, needed) or _same_function(written, graph))
    ):
        return ProcessVerdict("right_steps")
    return ProcessVerdict("wrong_steps", first_error(written, graph, needed, answered, format_name))


def needed_steps(graph: SolutionGraph) -> list[_Signature]:
    """Operations that the answer rests on, by values, in the graph's order."""
    count, used = len(graph.quantities), set[int]()
    open_nodes = [count + len(graph.steps) - 1]
    while open_nodes:
        node = open_nodes.pop()
        if node >= count and node not in used:
            used.add(node)
            open_nodes += (graph.steps[node - count].left, graph.steps[node - count].right)
    return [
        _signature(s.op, graph.node(s.left).value, graph.node(s.right).value)
        for s in (graph.steps[n - count] for n in sorted(used))
    ]


def _signature(op: str, left: Number, right: Number) -> _Signature:
    """Order of operands does not matter for + and *."""
    left, right = simple(left), simple(right)
    return (op, right, left) if op in "+*" and right < left else (op, left, right)


def _of(operation: WrittenOperation) -> _Signature:
    return _signature(operation.op, operation.left.value, operation.right.value)


def _slip(written: Written) -> bool:
    return any(op.claimed is not None and op.claimed != op.value for op in written.operations)


def _covers(written: Written, needed: list[_Signature]) -> bool:
    return not Counter(needed) - Counter(_of(op) for op in written.operations)


def _same_function(written: Written, graph: SolutionGraph) -> bool:
    """Equal at two random points; each given number is moved, whoever uses it, constants stay."""
    if written.answer is None or not graph.steps:
        return False
    givens = {simple(q.value) for q in graph.quantities if not q.constant}
    try:
        return all(
            _evaluate_graph(graph, givens, point) == _evaluate_written(written, givens, point)
            for point in (0, 1)
        )
    except ZeroDivisionError:
        return False


def _moved(value: Number, givens: set[Number], point: int) -> int:
    """A number modulo the prime: random for a given, itself for a constant."""
    if value in givens:
        return key("process", point, str(simple(value))) % _PRIME
    return value.numerator * pow(value.denominator, -1, _PRIME) % _PRIME


def _apply(op: str, left: int, right: int) -> int:
    if op == "/":
        if right % _PRIME == 0:
            raise ZeroDivisionError
        return left * pow(right, -1, _PRIME) % _PRIME
    return (left + right if op == "+" else left - right if op == "-" else left * right) % _PRIME


def _evaluate_graph(graph: SolutionGraph, givens: set[Number], point: int) -> int:
    values = [_moved(q.value, givens, point) for q in graph.quantities]
    for step in graph.steps:
        values.append(_apply(step.op, values[step.left], values[step.right]))
    return values[-1]


def _evaluate_written(written: Written, givens: set[Number], point: int) -> int:
    values: list[int] = []

    def read(operand: Operand) -> int:
        return _moved(operand.value, givens, point) if operand.source is None else values[operand.source]

    for operation in written.operations:
        values.append(_apply(operation.op, read(operation.left), read(operation.right)))
    assert written.answer is not None
    return read(written.answer)


def first_error(
    written: Written, graph: SolutionGraph, needed: list[_Signature], answered: bool, format_name: str
) -> FirstError:
    """The first thing that went wrong, reading in order."""
    if format_name == "other" or not (written.operations or written.readable):
        return "broken_format" if answered or format_name == "other" else "incomplete"
    known = {simple(q.value) for q in graph.quantities} | {simple(step.value) for step in graph.steps}
    right = set(needed)
    for operation in written.operations:
        if operation.claimed is not None and operation.claimed != operation.value:
            return "arithmetic_slip"
        if _of(operation) in right:
            known.add(operation.value)
            continue
        if any(o.source is None and o.value not in known for o in (operation.left, operation.right)):
            return "misread_number"
        return _wrong_step(operation, graph)
    return "missing_step" if answered else "incomplete"


def _wrong_step(operation: WrittenOperation, graph: SolutionGraph) -> FirstError:
    """Same operands, other sign: wrong operation; else wrong operand."""
    operands = sorted((operation.left.value, operation.right.value))
    return (
        "wrong_operation"
        if any(_operands(graph, step) == operands for step in graph.steps)
        else "wrong_operand"
    )


def _operands(graph: SolutionGraph, step: Step) -> list[Number]:
    return sorted((graph.node(step.left).value, graph.node(step.right).value))
