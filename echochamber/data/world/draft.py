"""A problem while it grows: numbers and operations first, words only once it is accepted."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from ...core.numbers import Number
from ...core.types import Operation, Quantity, SolutionGraph, Step
from .structure import Term, combine, text_of_term


@lru_cache(maxsize=1 << 16)
def _fraction(value: Number) -> Fraction:
    return Fraction(value)


@dataclass(slots=True)
class Told:
    """One sentence to be: alternative wordings and the numbers that go into them."""

    wordings: tuple[str, ...]
    slots: dict[str, int | Fraction | str]
    role: str
    """`opening`, `fact` (may change places), `event` (its time matters), `distractor` or `closing`."""
    late: tuple[str, ...] = ()
    """Openings: wordings for telling it after the events."""


@dataclass(slots=True)
class _Node:
    name: str
    value: Number
    op: str = ""
    left: int = -1
    right: int = -1
    unit: str = ""
    owner: str = ""
    constant: bool = False


@dataclass(slots=True)
class Draft:
    """Nodes in order of creation (operands are positions in it) and sentences in order of telling."""

    nodes: list[_Node] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    """Words shared by all sentences: who, the things, pronouns."""

    def given(self, name: str, value: Number, constant: bool = False, unit: str = "", owner: str = "") -> int:
        """A number of the question, or a constant that its words imply; returns its position."""
        self.nodes.append(_Node(name, value, unit=unit, owner=owner, constant=constant))
        return len(self.nodes) - 1

    def step(self, name: str, op: Operation, left: int, right: int, unit: str = "", owner: str = "") -> int:
        """One operation on two earlier nodes, computed exactly; returns its position."""
        value = apply(op, self.nodes[left].value, self.nodes[right].value)
        self.nodes.append(_Node(name, value, op, left, right, unit, owner))
        return len(self.nodes) - 1

    def tell(self, wordings: tuple[str, ...], role: str = "event", **slots: int | Fraction | str) -> None:
        """Add a sentence."""
        self.told.append(Told(wordings, slots, role))

    def value(self, node: int) -> Number:
        """The exact value of a node."""
        return self.nodes[node].value

    def expression(self, values: bool = True) -> str:
        """`structure.expression` of the graph to be, without building it."""
        terms: list[Term] = []
        for node in self.nodes:
            if node.op:
                terms.append(combine(node.op, terms[node.left], terms[node.right]))
            else:
                terms.append(("", [str(node.value) if values else "#"]))
        return text_of_term(terms[-1])

    @property
    def operations(self) -> int:
        """How many steps there are."""
        return sum(1 for node in self.nodes if node.op)

    def graph(self) -> SolutionGraph:
        """The finished graph: names made unique and filled in, operands renumbered."""
        names = self._unique_names()
        givens = [i for i, node in enumerate(self.nodes) if not node.op]
        steps = [i for i, node in enumerate(self.nodes) if node.op]
        positions = {node: index for index, node in enumerate(givens + steps)}
        unit = self.context.get("unit", "")
        owner = self.context.get("who", "")
        nodes = self.nodes
        quantities = [
            Quantity(
                names[i],
                _fraction(nodes[i].value),
                nodes[i].unit or unit,
                nodes[i].owner or owner,
                nodes[i].constant,
            )
            for i in givens
        ]
        done = [self._step(nodes[i], names[i], positions, unit, owner) for i in steps]
        return SolutionGraph(tuple(quantities), tuple(done))

    @staticmethod
    def _step(node: _Node, name: str, positions: dict[int, int], unit: str, owner: str) -> Step:
        operation: Operation = node.op  # type: ignore[assignment]
        value = _fraction(node.value)
        return Step(
            name,
            operation,
            positions[node.left],
            positions[node.right],
            value,
            node.unit or unit,
            node.owner or owner,
        )

    def _unique_names(self) -> list[str]:
        seen: dict[str, int] = {}
        names = []
        for node in self.nodes:
            name = node.name.format(**self.context).replace(" ", "_") if "{" in node.name else node.name
            seen[name] = seen.get(name, 0) + 1
            names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        return names


def apply(op: str, left: Number, right: Number) -> Number:
    """The exact result of one operation; whole results are plain integers."""
    if op == "+":
        value = left + right
    elif op == "-":
        value = left - right
    elif op == "*":
        value = left * right
    elif isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    else:
        value = Fraction(left) / right
    return value if isinstance(value, int) else int(value) if value.denominator == 1 else value
