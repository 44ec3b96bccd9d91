"""What a claim is: a statement, the arms compared, the criteria that decide, and what would contradict it.

Everything that decides a verdict is an identifier or a number. Statements and descriptions are for readers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..core.study_tables import Tables

Rule = Literal["above", "below", "within"]
"""The interval lies above the margin, below it, or between minus and plus the margin."""
Scale = Literal["difference", "share", "yes_no", "equivalence", "permutation"]
"""What a per-seed estimate is; rules of version 2 choose the test by it, version 1 takes all as differences.

A change or any other number; a share in [0, 1]; 1 for yes and 0 for no; a difference that shall be near 0,
with two one-sided tests; a number whose p-values come with its measurement, from a permutation test.
"""
Holds = Literal["everywhere", "somewhere"]
Seeds = Mapping[int, float]
"""One estimate per pretraining seed."""


class NotTestableError(Exception):
    """A claim cannot be judged from these tables; the message says why and what would help."""


@dataclass(frozen=True)
class Criterion:
    """One condition on the mean over seeds of a per-seed estimate."""

    id: str
    """Identifier within the claim."""
    statistic: str
    """Identifier of what is computed per seed."""
    rule: Rule
    margin: float | None
    """None: the 95% interval of a reference condition, such as the neutral twins."""
    description: str
    """What is computed per seed, for a reader."""
    scale: Scale = "difference"
    holds: Holds | None = None
    """Under every condition or under one, where that differs from the claim's (rules of version 2)."""

    @property
    def label(self) -> str:
        """The identifier as a reader sees it."""
        return self.id.replace("_", " ")


@dataclass(frozen=True)
class Premise:
    """What a claim presupposes of the base: the mean over seeds lies between two bounds, both included."""

    id: str
    """Identifier within the claim."""
    statistic: str
    """Identifier of what is computed per seed."""
    low: float | None
    high: float | None
    description: str
    """What is computed per seed, for a reader."""

    @property
    def label(self) -> str:
        """The identifier as a reader sees it."""
        return self.id.replace("_", " ")

    def holds(self, value: float) -> bool:
        """Whether a value lies between the bounds."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Measurement:
    """Per-seed estimates of one criterion under one condition."""

    criterion: str
    """Identifier of the criterion."""
    seeds: Seeds
    condition: str = ""
    """Mixture, coefficient or feature, where a criterion is measured under several."""
    reference: Seeds | None = None
    """Per-seed estimates of the reference condition, for a criterion without a margin. Its 95% interval takes
    the margin's place: `above` means above its upper end, contradicted means below its lower end."""
    p_values: tuple[float, float] | None = None
    """(supported, contradicted), for a criterion whose scale is `permutation`."""


@dataclass(frozen=True)
class Context:
    """Estimates shown with a verdict that do not enter it: null models, sensitivity arms, comparisons."""

    name: str
    seeds: Seeds
    condition: str = ""
    kind: Literal["context", "null", "sensitivity"] = "context"


@dataclass(frozen=True)
class Evidence:
    """All that a claim's `measure` found."""

    measurements: tuple[Measurement, ...]
    context: tuple[Context, ...] = ()
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    """What the verdict alone would hide; shown with it in the ledger."""
    needed: Mapping[str, str] = field(default_factory=dict)
    """Criterion -> the data that would decide it, where more seeds would not."""
    premises: tuple[Measurement, ...] = ()
    """Per-seed values at the base; `criterion` is a premise's identifier."""
    qualifier: str = ""
    """How the verdict has to be read; follows the word "supported" (rules of version 2)."""


@dataclass(frozen=True)
class Claim:
    """One claim, declared before the first RL run."""

    number: int
    """Its number in its set."""
    statement: str
    source: str
    """Section, figure or table of the paper."""
    arms: tuple[str, ...]
    """`mixture/arm` of every run that is compared; `*` stands for any mixture."""
    criteria: tuple[Criterion, ...]
    contradicted_by: str
    measure: Callable[["Tables"], Evidence] = field(repr=False)
    """Computes the per-seed estimates; raises `NotTestableError`."""
    holds: Holds = "everywhere"
    """Whether a criterion must be met under every condition or under one."""
    holm: bool = False
    """With `holds="everywhere"`: Holm's correction for support. Contradiction always has it in version 1."""
    premises: tuple[Premise, ...] = ()
    """What the base must have; a claim whose premise fails is neither supported nor contradicted."""
    nulls: tuple[str, ...] = ()
    """Null models, as `mixture/arm`."""
    sensitivity: tuple[str, ...] = ()
    """Sensitivity arms, as `mixture/arm`."""
    choices: tuple[str, ...] = ()
    """Decisions on what the published claim left open."""
    next_experiment: str = ""
    """The experiment that would decide it, where more seeds would not."""
    name: str = ""
    """How a recipe names it in a set of the user's own (`SET/NAME`); the paper's claims go by number."""

    @property
    def label(self) -> str:
        """Its name, or its number where it has none."""
        return self.name or str(self.number)

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with that identifier."""
        return next(c for c in self.criteria if c.id == criterion_id)

    def declared(self) -> dict[str, object]:
        """Everything that decides the verdict, as plain data and in identifiers: what the digest covers."""
        # Criteria that were declared before scales existed keep their digest.
        added = {
            c.id: [c.scale, c.holds] if c.holds else [] if c.scale == "difference" else [c.scale]
            for c in self.criteria
        }
        criteria = [[c.id, c.statistic, c.rule, c.margin, *added[c.id]] for c in self.criteria]
        premises = [[p.id, p.statistic, p.low, p.high] for p in self.premises]
        return {
            "number": self.number,
            "name": self.name,
            "arms": list(self.arms),
            "criteria": criteria,
            "holds": self.holds,
            "holm": self.holm,
        } | ({"premises": premises} if premises else {})
