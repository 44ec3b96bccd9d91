"""From evidence to a verdict: criteria joined, families corrected by Holm, and what would settle the rest."""

from dataclasses import dataclass, replace

from ...stats.intervals import holm
from .declare import Aside, Claim, Criterion, Evidence, Measured, NotTestableError
from .estimate import ALPHA, FEWEST_SEEDS, Estimate, Verdict, describe_seeds, estimate
from .tables import Tables


@dataclass(frozen=True)
class Part:
    """One criterion at one place, judged."""

    criterion: Criterion
    where: str
    estimate: Estimate
    p_supported: float
    """Adjusted for the family where there is one."""
    p_contradicted: float

    @property
    def verdict(self) -> Verdict:
        """This part's own verdict."""
        return self.estimate.verdict(self.p_supported, self.p_contradicted)


@dataclass(frozen=True)
class Line:
    """One line of the ledger."""

    claim: Claim
    verdict: Verdict
    parts: tuple[Part, ...] = ()
    asides: tuple[Aside, ...] = ()
    remarks: tuple[str, ...] = ()
    reason: str = ""
    """Why it is not testable here, or what would settle an inconclusive claim."""


def judge(claim: Claim, tables: Tables) -> Line:
    """The claim's line from the tables alone."""
    try:
        evidence = claim.measure(tables)
    except NotTestableError as error:
        return Line(claim, "not testable here", reason=str(error))
    parts = tuple(_part(claim, measured) for measured in evidence.measured)
    if claim.holds == "everywhere":
        parts, verdict = _everywhere(parts)
    else:
        parts, verdict = _somewhere(parts)
    reason = _settle(claim, parts) if verdict == "inconclusive" else ""
    return Line(claim, verdict, parts, evidence.asides, evidence.remarks, reason)


def _part(claim: Claim, measured: Measured) -> Part:
    criterion = claim.criterion(measured.criterion)
    margin = measured.margin if criterion.margin is None else criterion.margin
    assert margin is not None, f"claim {claim.number}: {criterion.name} has no margin"
    found = estimate(measured.seeds, criterion.rule, margin, measured.short)
    return Part(criterion, measured.where, found, found.p_supported, found.p_contradicted)


def _everywhere(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], Verdict]:
    """Every part must hold; a criterion measured at several places is a family of its own.

    One contradicted part contradicts the whole.
    """
    adjusted = list(parts)
    for name in {part.criterion.name for part in parts}:
        places = [i for i, part in enumerate(parts) if part.criterion.name == name]
        supported, contradicted = (holm([getattr(parts[i], side) for i in places]) for side in ("p_supported", "p_contradicted"))
        for i, p, q in zip(places, supported, contradicted, strict=True):
            adjusted[i] = replace(parts[i], p_supported=float(p), p_contradicted=float(q))
    verdicts = [part.verdict for part in adjusted]
    if "contradicted" in verdicts:
        return tuple(adjusted), "contradicted"
    return tuple(adjusted), "supported" if set(verdicts) == {"supported"} else "inconclusive"


def _somewhere(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], Verdict]:
    """One place must meet all criteria at once; support is Holm-corrected over the places.

    Parts without a place belong to every place. Contradicted when each place fails some criterion.
    """
    places = list(dict.fromkeys(part.where for part in parts if part.where)) or [""]
    members = {place: [part for part in parts if part.where in ("", place)] for place in places}
    worst = holm([max(part.p_supported for part in members[place]) for place in places])
    raised = {place: float(p) for place, p in zip(places, worst, strict=True)}
    adjusted = tuple(
        replace(part, p_supported=max(part.p_supported, raised[part.where])) if part.where in raised and _limits(part, members) else part
        for part in parts
    )
    if min(raised.values()) <= ALPHA:
        return adjusted, "supported"
    failed = [any(part.p_contradicted <= ALPHA for part in members[place]) for place in places]
    return adjusted, "contradicted" if all(failed) else "inconclusive"


def _limits(part: Part, members: dict[str, list[Part]]) -> bool:
    """Whether this part is the weakest of its place, whose p-value the correction speaks of."""
    return part.p_supported == max(other.p_supported for other in members[part.where])


def _settle(claim: Claim, parts: tuple[Part, ...]) -> str:
    """What would settle the inconclusive parts."""
    fewest = min((len(part.estimate.seeds) for part in parts), default=0)
    if fewest < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {fewest}"
    needs = []
    for part in parts:
        if part.verdict == "inconclusive":
            label = part.criterion.name + (f" ({part.where})" if part.where else "")
            needs.append(f"{label}: {describe_seeds(part.estimate)}")
    return "; ".join([*needs, *([f"or {claim.otherwise}"] if claim.otherwise else [])])


def judge_all(tables: Tables, claims: dict[int, Claim]) -> list[Line]:
    """A line for every claim, in order."""
    return [judge(claim, tables) for claim in claims.values()]


__all__ = ["Evidence", "Line", "Part", "judge", "judge_all"]
