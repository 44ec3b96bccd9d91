"""Premises: does the base have what a claim presupposes?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..stats.intervals import Interval, t_interval
from .declare import Claim, Context, Evidence, Measurement, Premise, Seeds

FEWEST_IN_SUBSET = 3
"""Seeds that meet every premise; with fewer, the subset is not shown."""


@dataclass(frozen=True)
class PremiseResult:
    """One premise under one condition, at the mean over all seeds; seeds that fail it stay in."""

    premise: Premise
    condition: str
    seeds: Seeds

    @property
    def mean(self) -> float:
        """Over seeds; NaN without any."""
        return float(np.mean(list(self.seeds.values()))) if self.seeds else float("nan")

    @property
    def interval(self) -> Interval:
        """Student's 95% interval of the mean."""
        return t_interval(list(self.seeds.values()))

    @property
    def met(self) -> bool:
        """Whether the mean lies between the bounds; without a measurement it does not."""
        return self.premise.holds(self.mean) if self.seeds else False

    @property
    def text(self) -> str:
        """`base maj@64 (tg): 0.91 [0.88 to 0.94], asked 0.4 to 0.75`."""
        where = f" ({self.condition})" if self.condition else ""
        low, high = self.interval
        around = f" [{low:.3f} to {high:.3f}]" if low == low else ""
        return f"{self.premise.label}{where}: {self.mean:.3f}{around}, asked {bounds_text(self.premise)}"


def bounds_text(premise: Premise) -> str:
    """`0.4 to 0.75`, `at least 0.4`, `at most 0.1`."""
    if premise.low is not None and premise.high is not None:
        return f"{premise.low:g} to {premise.high:g}"
    return f"at least {premise.low:g}" if premise.low is not None else f"at most {premise.high:g}"


def check_premises(claim: Claim, evidence: Evidence) -> tuple[PremiseResult, ...]:
    """Every measured premise; one that was declared and not measured fails with no seeds."""
    declared = {premise.id: premise for premise in claim.premises}
    measured = {one.criterion for one in evidence.premises}
    found = [PremiseResult(declared[one.criterion], one.condition, one.seeds) for one in evidence.premises]
    missing = [PremiseResult(premise, "", {}) for name, premise in declared.items() if name not in measured]
    return (*found, *missing)


def fitting_seeds(premises: Sequence[PremiseResult]) -> set[int]:
    """Seeds that meet every premise that was measured on them."""
    seeds = {seed for one in premises for seed in one.seeds}
    return {s for s in seeds if all(one.premise.holds(one.seeds[s]) for one in premises if s in one.seeds)}


def subset_context(
    measurements: Sequence[Measurement], premises: Sequence[PremiseResult]
) -> tuple[Context, ...]:
    """Each criterion on the seeds that meet every premise, where some seeds do and others do not."""
    fitting = fitting_seeds(premises)
    if len(fitting) < FEWEST_IN_SUBSET or all(set(one.seeds) <= fitting for one in measurements):
        return ()
    kept = [replace(one, seeds={s: v for s, v in one.seeds.items() if s in fitting}) for one in measurements]
    return tuple(
        Context(f"{one.criterion.replace('_', ' ')}, seeds that meet the premises", one.seeds, one.condition)
        for one in kept
        if one.seeds
    )
