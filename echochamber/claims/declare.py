"""What a claim is: a statement, what is compared, what decides, and what would contradict it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .tables import Tables

Rule = Literal["above", "below", "within"]
"""The interval lies above the margin, below it, or between minus and plus the margin."""
Seeds = Mapping[int, float]
"""One estimate per pretraining seed."""


class NotTestableError(Exception):
    """A claim cannot be judged from these tables; the message says why and what would help."""


@dataclass(frozen=True)
class Criterion:
    """One condition on the mean over seeds of a per-seed estimate."""

    name: str
    statistic: str
    """What is computed per seed, in words."""
    rule: Rule
    margin: float | None
    """None: the interval of a rival that is measured beside it, as the neutral twins'."""
    unit: str = ""


@dataclass(frozen=True)
class Measured:
    """A criterion's estimates at one place."""

    criterion: str
    seeds: Seeds
    where: str = ""
    """Mixture, coefficient or feature, where one criterion is measured at several."""
    rival: Seeds | None = None
    """Per-seed estimates whose 95% interval is the margin of a criterion that declares none: past its far end is
    past it, short of its near end is short of it."""


@dataclass(frozen=True)
class Aside:
    """Estimates that stand beside a verdict and do not enter it: null models, sensitivity, rivals."""

    name: str
    seeds: Seeds
    where: str = ""
    kind: Literal["beside", "null", "sensitivity"] = "beside"


@dataclass(frozen=True)
class Evidence:
    """All that a claim's measurement found."""

    measured: tuple[Measured, ...]
    asides: tuple[Aside, ...] = ()
    remarks: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    """What a reader of the verdict alone would get wrong; it stands in the ledger beside it."""
    settle: Mapping[str, str] = field(default_factory=dict)
    """Criterion -> what would settle it, where more seeds would not."""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper."""

    number: int
    statement: str
    source: str
    """Place in the paper."""
    arms: tuple[str, ...]
    """`mixture/arm` of every run that is compared; `*` for any mixture."""
    criteria: tuple[Criterion, ...]
    contradicted_by: str
    measure: Callable[[Tables], Evidence] = field(repr=False)
    """Raises `NotTestableError`."""
    holds: Literal["everywhere", "somewhere"] = "everywhere"
    """Whether a criterion measured at several places must hold at all of them or at one."""
    holm: bool = False
    """Where all places must hold: correct support over them too. Contradiction at any one place always is."""
    nulls: tuple[str, ...] = ()
    sensitivity: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Decisions taken where the criterion left room."""
    otherwise: str = ""
    """The experiment that would settle it, where more seeds would not."""

    def criterion(self, name: str) -> Criterion:
        """The criterion of that name."""
        return next(c for c in self.criteria if c.name == name)

    def declared(self) -> dict[str, object]:
        """Everything that fixes the verdict, as plain data: what the hash covers."""
        names = (
            "number",
            "statement",
            "source",
            "arms",
            "contradicted_by",
            "holds",
            "holm",
            "nulls",
            "sensitivity",
            "choices",
            "otherwise",
        )
        rules = [[c.name, c.statistic, c.rule, c.margin, c.unit] for c in self.criteria]
        return {name: getattr(self, name) for name in names} | {"criteria": rules}
