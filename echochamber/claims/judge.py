"""From evidence to a verdict: criteria joined, families corrected by Holm, and what would settle the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..stats.intervals import holm, t_interval
from .declare import Aside, Claim, Criterion, Evidence, Measured, NotTestableError, Seeds
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
    rival: Seeds | None = None
    """Per-seed estimates whose interval is the margin, where that is measured."""
    family: int = 1
    """Places that the level of a verdict on this part is shared among."""

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
    cautions: tuple[str, ...] = ()
    """What a reader of the verdict alone would get wrong."""
    reason: str = ""
    """Why it is not testable here, or what would settle an inconclusive claim."""

    @property
    def beside(self) -> str:
        """What must be read with the verdict: reason and cautions."""
        return "; ".join(text for text in (self.reason, *self.cautions) if text)


def judge(claim: Claim, tables: Tables) -> Line:
    """The claim's line from the tables alone."""
    try:
        evidence = claim.measure(tables)
    except NotTestableError as error:
        return Line(claim, "not testable here", reason=str(error))
    parts = tuple(_part(claim, measured) for measured in evidence.measured)
    if claim.holds == "everywhere":
        parts, verdict = _everywhere(parts, claim.holm)
    else:
        parts, verdict = _somewhere(parts)
    reason = _settle(claim, parts, evidence.settle) if verdict == "inconclusive" else ""
    cautions = (*evidence.cautions, *map(_without_width, filter(_decided_without_width, parts)))
    return Line(claim, verdict, parts, evidence.asides, evidence.remarks, cautions, reason)


def _decided_without_width(part: Part) -> bool:
    """Whether a criterion was decided by seeds that all have one value, as a count of winners may."""
    return part.verdict in ("supported", "contradicted") and part.estimate.high - part.estimate.low < 1e-12


def _without_width(part: Part) -> str:
    count = len(part.estimate.seeds)
    label = part.criterion.name + (f" ({part.where})" if part.where else "")
    return (
        f"{label}: all {count} seeds have the same value, so Student's interval has no width and the rule counts it as decided; "
        f"{count} coins fall alike with probability {2.0 ** (1 - count):.3f}"
    )


def _part(claim: Claim, measured: Measured) -> Part:
    criterion = claim.criterion(measured.criterion)
    if measured.rival is None:
        assert criterion.margin is not None, f"claim {claim.number}: {criterion.name} has no margin"
        found = estimate(measured.seeds, criterion.rule, criterion.margin)
    else:
        low, high = t_interval(list(measured.rival.values()))
        found = estimate(
            measured.seeds, criterion.rule, *((high, low) if criterion.rule == "above" else (low, high))
        )
    return Part(criterion, measured.where, found, found.p_supported, found.p_contradicted, measured.rival)


def _everywhere(parts: tuple[Part, ...], correct_support: bool) -> tuple[tuple[Part, ...], Verdict]:
    """Every part must hold; a criterion measured at several places is a family of its own.

    One contradicted part contradicts the whole, so contradiction is corrected by Holm. That all hold needs no
    correction (intersection-union, Berger 1982) and has one only where the criteria ask for it.
    """
    adjusted = list(parts)
    for name in {part.criterion.name for part in parts}:
        places = [i for i, part in enumerate(parts) if part.criterion.name == name]
        contradicted = holm([parts[i].p_contradicted for i in places])
        supported = (
            holm([parts[i].p_supported for i in places])
            if correct_support
            else [parts[i].p_supported for i in places]
        )
        for i, p, q in zip(places, supported, contradicted, strict=True):
            adjusted[i] = replace(
                parts[i],
                p_supported=float(p),
                p_contradicted=float(q),
                family=len(places) if correct_support or _leans_against(parts[i]) else 1,
            )
    verdicts = [part.verdict for part in adjusted]
    if "contradicted" in verdicts:
        return tuple(adjusted), "contradicted"
    return tuple(adjusted), "supported" if set(verdicts) == {"supported"} else "inconclusive"


def _leans_against(part: Part) -> bool:
    """Whether it is nearer to being contradicted, which is corrected over its family."""
    return part.estimate.p_contradicted < part.estimate.p_supported


def _somewhere(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], Verdict]:
    """One place must meet all criteria at once; support is Holm-corrected over the places.

    Parts without a place belong to every place. Contradicted when each place fails some criterion.
    """
    places = list(dict.fromkeys(part.where for part in parts if part.where)) or [""]
    members = {place: [part for part in parts if part.where in ("", place)] for place in places}
    worst = holm([max(part.p_supported for part in members[place]) for place in places])
    raised = {place: float(p) for place, p in zip(places, worst, strict=True)}
    adjusted = tuple(_raised(part, raised, members, len(places)) for part in parts)
    if min(raised.values()) <= ALPHA:
        return adjusted, "supported"
    failed = [any(part.p_contradicted <= ALPHA for part in members[place]) for place in places]
    return adjusted, "contradicted" if all(failed) else "inconclusive"


def _raised(part: Part, raised: dict[str, float], members: dict[str, list[Part]], places: int) -> Part:
    """The part with the p-value of its place, where it is the weakest there; one of every place has that of the best."""
    found = replace(part, family=places)
    mine = [part.where] if part.where in members else list(members)
    limited = [
        raised[place]
        for place in mine
        if part.p_supported == max(other.p_supported for other in members[place])
    ]
    return replace(found, p_supported=max(part.p_supported, min(limited))) if limited else found


def _settle(claim: Claim, parts: tuple[Part, ...], instead: Mapping[str, str]) -> str:
    """What would settle the inconclusive parts."""
    fewest = min((len(part.estimate.seeds) for part in parts), default=0)
    if fewest < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {fewest}"
    needs = []
    for part in parts:
        if part.verdict == "inconclusive":
            label = part.criterion.name + (f" ({part.where})" if part.where else "")
            needs.append(
                f"{label}: {instead.get(part.criterion.name) or describe_seeds(part.estimate, part.family, part.rival)}"
            )
    return "; ".join([*needs, *([f"or {claim.otherwise}"] if claim.otherwise else [])])


def judge_all(tables: Tables, claims: dict[int, Claim]) -> list[Line]:
    """A line for every claim, in order."""
    return [judge(claim, tables) for claim in claims.values()]


__all__ = ["Evidence", "Line", "Part", "judge", "judge_all"]
