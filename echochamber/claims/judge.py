"""From evidence to a verdict: criteria combined, families corrected by Holm, what would decide the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..core.study_tables import Tables
from ..stats.intervals import holm, t_interval
from .claim_set import ClaimSet
from .declare import Claim, Context, Criterion, Measurement, NotTestableError, Seeds
from .estimate import (
    ALPHA,
    FEWEST_SEEDS,
    Estimate,
    Judgement,
    describe_seeds,
    estimate,
    estimate_on_scale,
    interval_of,
)
from .power import describe_power
from .premises import PremiseResult, check_premises, subset_context


@dataclass(frozen=True)
class CriterionResult:
    """One criterion under one condition, judged."""

    criterion: Criterion
    condition: str
    estimate: Estimate
    p_supported: float
    """Adjusted for the family where there is one."""
    p_contradicted: float
    reference: Seeds | None = None
    """Per-seed estimates whose interval takes the margin's place."""
    family: int = 1
    """Number of conditions that share the significance level."""

    @property
    def verdict(self) -> Judgement:
        """Verdict on this criterion alone."""
        return self.estimate.verdict(self.p_supported, self.p_contradicted)

    @property
    def label(self) -> str:
        """Criterion and condition: `gain (tg_omi2)`."""
        return self.criterion.label + (f" ({self.condition})" if self.condition else "")


@dataclass(frozen=True)
class ClaimResult:
    """One claim, judged: a line of the ledger."""

    claim: Claim
    verdict: Judgement
    criteria: tuple[CriterionResult, ...] = ()
    context: tuple[Context, ...] = ()
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    """What the verdict alone would hide."""
    reason: str = ""
    """Why it is not testable here, which premise failed, or what would decide an inconclusive claim."""
    premises: tuple[PremiseResult, ...] = ()
    qualifier: str = ""
    """How "supported" has to be read, as "explained by tokens"."""

    @property
    def comment(self) -> str:
        """What must be read with the verdict: reason and caveats."""
        return "; ".join(text for text in (self.qualifier, self.reason, *self.caveats) if text)


@dataclass(frozen=True)
class _Rules:
    """One version of the judging rules."""

    criterion: Callable[[Claim, Measurement], CriterionResult]
    needed: Callable[[Estimate, int, Seeds | None], str]
    """What would decide an inconclusive criterion, in words."""
    holm_contradicts: bool
    """Whether one contradicted place of several needs Holm's correction to contradict."""


def judge(claim: Claim, tables: Tables) -> ClaimResult:
    """The claim judged from the tables alone, by version 1 of the rules.

    Every interval is Student's t over seeds, and seeds that all have one value decide.
    """
    return _judge(claim, tables, _Rules(_criterion, describe_seeds, holm_contradicts=True))


def judge_by_scale(claim: Claim, tables: Tables) -> ClaimResult:
    """Version 2: the interval fits the criterion's scale, and one without width decides nothing.

    Where all of several places must show a claim, each stands at 5%. A premise that fails at the mean over
    seeds leaves the claim neither supported nor contradicted.
    """
    return _judge(claim, tables, _Rules(_criterion_by_scale, describe_power, holm_contradicts=False))


def _judge(claim: Claim, tables: Tables, rules: _Rules) -> ClaimResult:
    try:
        evidence = claim.measure(tables)
    except NotTestableError as error:
        return ClaimResult(claim, "not testable here", reason=str(error))
    criteria = tuple(rules.criterion(claim, measurement) for measurement in evidence.measurements)
    if claim.holds == "everywhere":
        criteria, verdict = _everywhere(criteria, claim.holm, rules.holm_contradicts)
    else:
        criteria, verdict = _somewhere(criteria)
    premises = check_premises(claim, evidence)
    if any(not one.met for one in premises):
        verdict = "premise not met"
        reason = "; ".join(one.text for one in premises if not one.met)
    else:
        reason = _needed(claim, criteria, evidence.needed, rules) if verdict == "inconclusive" else ""
    caveats = (*evidence.caveats, *map(_without_width, filter(_decided_without_width, criteria)))
    context = (*evidence.context, *subset_context(evidence.measurements, premises))
    qualifier = evidence.qualifier if verdict == "supported" else ""
    return ClaimResult(
        claim, verdict, criteria, context, evidence.notes, caveats, reason, premises, qualifier
    )


RULES: dict[int, Callable[[Claim, Tables], ClaimResult]] = {1: judge, 2: judge_by_scale}
"""Version -> judging rules. A claim set names its version; a new version never replaces an old one."""


def judge_all(tables: Tables, claim_set: ClaimSet) -> list[ClaimResult]:
    """Every claim of the set, judged by the set's version of the rules."""
    rules = RULES[claim_set.rules]
    return [rules(claim, tables) for claim in claim_set.by_number.values()]


def _decided_without_width(found: CriterionResult) -> bool:
    """Whether a criterion was decided by seeds that all have one value, as a count of winners may."""
    width = found.estimate.high - found.estimate.low
    return found.verdict in ("supported", "contradicted") and width < 1e-12


def _without_width(found: CriterionResult) -> str:
    count = len(found.estimate.seeds)
    return (
        f"{found.label}: all {count} seeds have the same value, so Student's interval has no width and the "
        f"rule counts it as decided; {count} coins fall alike with probability {2.0 ** (1 - count):.3f}"
    )


def _criterion(claim: Claim, measurement: Measurement) -> CriterionResult:
    criterion = claim.criterion(measurement.criterion)
    if measurement.reference is None:
        assert criterion.margin is not None, f"claim {claim.label}: {criterion.id} has no margin"
        found = estimate(measurement.seeds, criterion.rule, criterion.margin)
    else:
        low, high = t_interval(list(measurement.reference.values()))
        margins = (high, low) if criterion.rule == "above" else (low, high)
        found = estimate(measurement.seeds, criterion.rule, *margins)
    return CriterionResult(
        criterion,
        measurement.condition,
        found,
        found.p_supported,
        found.p_contradicted,
        measurement.reference,
    )


def _criterion_by_scale(claim: Claim, measurement: Measurement) -> CriterionResult:
    criterion, reference = claim.criterion(measurement.criterion), measurement.reference
    if reference is None:
        assert criterion.margin is not None, f"claim {claim.label}: {criterion.id} has no margin"
        margins = criterion.margin, criterion.margin
    else:
        low, high = interval_of(list(reference.values()), criterion.scale)
        margins = (high, low) if criterion.rule == "above" else (low, high)
    found = estimate_on_scale(measurement.seeds, criterion.rule, *margins, criterion.scale)
    if criterion.scale == "permutation":
        assert measurement.p_values is not None, f"claim {claim.label}: {criterion.id} has no p-values"
        p_supported, p_contradicted = measurement.p_values
        found = replace(found, p_supported=p_supported, p_contradicted=p_contradicted)
    p_values = found.p_supported, found.p_contradicted
    return CriterionResult(criterion, measurement.condition, found, *p_values, reference)


def _everywhere(
    found: tuple[CriterionResult, ...], correct_support: bool, correct_contradiction: bool
) -> tuple[tuple[CriterionResult, ...], Judgement]:
    """Every criterion must be met; a criterion under several conditions is a family of its own.

    One contradicted member contradicts the claim; version 1 corrects that by Holm. That all are met
    needs no correction (intersection-union, Berger 1982) and has one only where the claim asks for it. A
    criterion that must hold somewhere is met by one member after Holm's correction, and contradicted by all.
    """
    adjusted = list(found)
    verdicts: list[Judgement] = []
    for name in dict.fromkeys(one.criterion.id for one in found):
        members = [i for i, one in enumerate(found) if one.criterion.id == name]
        somewhere = found[members[0]].criterion.holds == "somewhere"
        raw = [[getattr(found[i], side) for i in members] for side in ("p_supported", "p_contradicted")]
        supported = holm(raw[0]) if correct_support or somewhere else raw[0]
        contradicted = holm(raw[1]) if correct_contradiction and not somewhere else raw[1]
        for i, p, q in zip(members, supported, contradicted, strict=True):
            corrected = correct_support or somewhere or (correct_contradiction and _leans_against(found[i]))
            family = len(members) if corrected else 1
            adjusted[i] = replace(found[i], p_supported=float(p), p_contradicted=float(q), family=family)
        verdicts.append(_of_family([adjusted[i].verdict for i in members], somewhere))
    if "contradicted" in verdicts:
        return tuple(adjusted), "contradicted"
    return tuple(adjusted), "supported" if set(verdicts) == {"supported"} else "inconclusive"


def _of_family(verdicts: list[Judgement], somewhere: bool) -> Judgement:
    """One criterion's verdict over its conditions."""
    one: Judgement = "supported" if somewhere else "contradicted"
    every: Judgement = "contradicted" if somewhere else "supported"
    if one in verdicts:
        return one
    return every if set(verdicts) == {every} else "inconclusive"


def _leans_against(found: CriterionResult) -> bool:
    """Whether it is nearer to being contradicted, which is corrected over its family."""
    return found.estimate.p_contradicted < found.estimate.p_supported


def _somewhere(
    found: tuple[CriterionResult, ...],
) -> tuple[tuple[CriterionResult, ...], Judgement]:
    """One condition must meet all criteria at once; support is Holm-corrected over the conditions.

    Criteria without a condition belong to every condition. Contradicted if each condition fails a criterion.
    """
    conditions = list(dict.fromkeys(one.condition for one in found if one.condition)) or [""]
    members = {name: [one for one in found if one.condition in ("", name)] for name in conditions}
    worst = holm([max(one.p_supported for one in members[name]) for name in conditions])
    raised = {name: float(p) for name, p in zip(conditions, worst, strict=True)}
    adjusted = tuple(_raised(one, raised, members, len(conditions)) for one in found)
    if min(raised.values()) <= ALPHA:
        return adjusted, "supported"
    failed = [any(one.p_contradicted <= ALPHA for one in members[name]) for name in conditions]
    return adjusted, "contradicted" if all(failed) else "inconclusive"


def _raised(
    one: CriterionResult,
    raised: Mapping[str, float],
    members: Mapping[str, list[CriterionResult]],
    family: int,
) -> CriterionResult:
    """The result with its condition's adjusted p-value, where it is the weakest there.

    A criterion that belongs to every condition takes the smallest adjusted p-value of those it limits.
    """
    found = replace(one, family=family)
    own = [one.condition] if one.condition in members else list(members)
    limited = [
        raised[name] for name in own if one.p_supported == max(other.p_supported for other in members[name])
    ]
    return replace(found, p_supported=max(one.p_supported, min(limited))) if limited else found


def _needed(
    claim: Claim, criteria: tuple[CriterionResult, ...], instead: Mapping[str, str], rules: _Rules
) -> str:
    """What would decide the inconclusive criteria."""
    fewest = min((len(one.estimate.seeds) for one in criteria), default=0)
    if fewest < FEWEST_SEEDS:
        return f"{FEWEST_SEEDS} seeds at least; there are {fewest}"
    needs = []
    for one in criteria:
        if one.verdict == "inconclusive":
            seeds = rules.needed(one.estimate, one.family, one.reference)
            needs.append(f"{one.label}: {instead.get(one.criterion.id) or seeds}")
    return "; ".join([*needs, *([f"or {claim.next_experiment}"] if claim.next_experiment else [])])


__all__ = ["RULES", "ClaimResult", "CriterionResult", "judge", "judge_all", "judge_by_scale"]
