"""Data types that packages pass to each other, field by field.

A worked example, one problem of two operations (`Mia has 3 boxes of 6 pens and gives 4 away`):

    graph = SolutionGraph(
        quantities=(Quantity("boxes", Fraction(3), "boxes", "Mia"),
                    Quantity("pens_per_box", Fraction(6), "pens", "Mia"),
                    Quantity("given_away", Fraction(4), "pens", "Mia")),
        steps=(Step("pens_at_first", "*", 0, 1, Fraction(18), "pens", "Mia"),
               Step("pens_left", "-", 3, 2, Fraction(14), "pens", "Mia")),
    )

Operands are indices into quantities followed by steps, so operand 3 above is the first step.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, get_args

from .numbers import format_number, parse_number

Operation = Literal["+", "-", "*", "/"]
Split = Literal["train", "dev", "test"]
Outcome = Literal["correct", "wrong", "no_answer", "error", "timeout", "unsupported", "infrastructure"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
UNGRADED_LIMIT = 0.05
"""Share of completions with outcome `infrastructure` above which a run's numbers come with a warning."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number given by the question, or a constant the solver must know (`twice`, a dozen)."""

    name: str
    """A descriptive identifier, usable as a Python variable: `pens_per_box`."""
    value: Fraction
    unit: str = ""
    owner: str = ""
    constant: bool = False
    """True when the number stands in the words (`twice`, `a week`), not as a figure."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation; `value` is exact."""

    name: str
    op: Operation
    left: int
    right: int
    value: Fraction
    unit: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SolutionGraph:
    """Quantities, then steps in an order in which each can be computed; the last one answers."""

    quantities: tuple[Quantity, ...]
    steps: tuple[Step, ...]

    def node(self, index: int) -> Quantity | Step:
        """The quantity or step that operand `index` means."""
        count = len(self.quantities)
        return self.quantities[index] if index < count else self.steps[index - count]

    def to_json(self) -> dict[str, object]:
        """Plain data with exact values as text."""
        return {
            "quantities": [
                [q.name, format_number(q.value), q.unit, q.owner, q.constant] for q in self.quantities
            ],
            "steps": [
                [s.name, s.op, s.left, s.right, format_number(s.value), s.unit, s.owner] for s in self.steps
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SolutionGraph":
        """Inverse of `to_json`."""
        return cls(
            tuple(Quantity(n, parse_number(v), u, o, c) for n, v, u, o, c in data["quantities"]),
            tuple(Step(n, op, a, b, parse_number(v), u, o) for n, op, a, b, v, u, o in data["steps"]),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its reference answer; world problems carry their solution graph."""

    id: str
    question: str
    reference: str
    """Canonical text of the answer: an integer or `a/b` for the world, any LaTeX for real sets."""
    problem_set: str = ""
    split: Split | str = ""
    family: str = ""
    difficulty: int = 0
    """Number of operations; 0 where unknown."""
    structure: str = ""
    """Hash of the canonical structure (graph, operations, values; not wording); splits go by it."""
    graph: SolutionGraph | None = None
    environment: str = ""
    """The set whose own score judges answers (`core.environments`); empty: compare with `reference`."""
    entry: str = ""
    """What that score needs, as JSON."""

    def to_json(self) -> dict[str, object]:
        """One JSON Lines row."""
        row = {name: getattr(self, name) for name in _PROBLEM_FIELDS}
        own = {"environment": self.environment, "entry": self.entry} if self.environment else {}
        return row | {"graph": self.graph.to_json() if self.graph else None} | own

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Problem":
        """Inverse of `to_json`."""
        graph = SolutionGraph.from_json(row["graph"]) if row.get("graph") else None
        own = {name: row.get(name, "") for name in ("environment", "entry")}
        return cls(**{name: row[name] for name in _PROBLEM_FIELDS}, graph=graph, **own)


_PROBLEM_FIELDS = (
    "id",
    "question",
    "reference",
    "problem_set",
    "split",
    "family",
    "difficulty",
    "structure",
)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the policy wrote after a prompt, before anyone has judged it."""

    text: str
    token_ids: tuple[int, ...]
    """Completion tokens up to and including EOS (T); the prompt is not among them."""
    logprobs: tuple[float, ...]
    """Log-probability (nats) of each token under the sampler at its temperature (T)."""
    truncated: bool
    """True when the length limit ended it, not EOS."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the grader says of one completion."""

    format: str
    """A registered format name; decided by structure, right or wrong."""
    answer: str | None
    """The answer read from the completion, canonical where it is a number."""
    outcome: Outcome
    detail: str = ""
    """Why, in a few words: the error's name, the limit that was hit, box and program disagree."""
    process: str = ""
    """For world problems: `right_steps`, `wrong_steps`, or empty where it was not checked."""
    first_error: str = ""
    style: dict[str, str] = field(default_factory=dict)
    """Style features inside the format, such as `docstring: yes`."""
    score: float | None = None
    """What the problem's environment gave; None for problems without one."""

    @property
    def correct(self) -> bool:
        """True for outcome `correct` only."""
        return self.outcome == "correct"
