"""The criteria judged otherwise, beside the verdicts and never in them: greedy answers, and intervals that know what a share is."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from ...claims.estimate import FEWEST_SEEDS, Estimate, Judgement
from ...claims.judge import ClaimResult, CriterionResult, judge
from ...claims.ledger import criterion_text, estimate_text
from ...claims.select import TEST
from ...core.study_tables import Tables
from ...stats.intervals import share_interval
from .results_parts import table

NOTE = (
    "pass@1 in the criteria is the accuracy of a single sample at the temperature of training (the mean over all samples), which RL optimises; the paper's is one greedy answer. "
    "A base loses more by sampling than a policy that RL has sharpened, so the two can differ. The criteria stay as they were fixed; "
)
SHARES = {
    (1, "share"),
    (5, "second_at_high_KL"),
    (5, "second_at_low_KL"),
    (9, "rate"),
    (12, "movement"),
    (21, "distance"),
} | {(22, name) for name in ("ppo", "grpo", "expert_iteration")}
"""Claim and criterion of every quantity that lies between 0 and 1 by nature."""


def with_greedy(tables: Tables) -> Tables:
    """The same study with greedy accuracy in the place of that of single samples on test; what was chosen on dev stays chosen."""
    test, greedy = pl.col("split") == TEST, pl.col("quantity") == "greedy"
    scores = tables.frames["scores"].filter(~(test & (pl.col("quantity") == "accuracy")))
    renamed = scores.with_columns(
        quantity=pl.when(test & greedy).then(pl.lit("accuracy")).otherwise(pl.col("quantity"))
    )
    return replace(tables, frames=tables.frames | {"scores": renamed})


def greedy(lines: Sequence[ClaimResult], tables: Tables) -> str:
    """What each criterion on pass@1 would say, and the claims whose verdict would be another."""
    swapped = with_greedy(tables)
    rows, turned = [], []
    for line in lines:
        other = judge(line.claim, swapped)
        before = {(part.criterion.label, part.condition): part for part in line.criteria}
        changed = [
            part
            for part in other.criteria
            if (found := before.get((part.criterion.label, part.condition)))
            and found.estimate.seeds != part.estimate.seeds
        ]
        rows += [_row(line, before[part.criterion.label, part.condition], part) for part in changed]
        if other.verdict != line.verdict:
            why = f": {other.reason}" if other.verdict == "not testable here" else ""
            turned.append(
                f"{line.claim.number} ({line.verdict} with single samples, {other.verdict} with greedy answers{why})"
            )
    if not rows:
        return "No criterion on pass@1 was measured with greedy answers."
    said = (
        f"with greedy answers the verdict of {len(turned)} {'claim' if len(turned) == 1 else 'claims'} would be another"
        + (f": {', '.join(turned)}." if turned else ".")
    )
    return NOTE + said + "\n\n" + table(["claim", "criterion", "one sample", "", "greedy", ""], rows)


def _row(line: ClaimResult, one: CriterionResult, other: CriterionResult) -> list[str]:
    label = f"{one.criterion.statistic}{f' ({one.condition})' if one.condition else ''}: {criterion_text(one.criterion, one.estimate.margin)}"
    return [
        str(line.claim.number),
        label,
        estimate_text(one),
        one.verdict,
        estimate_text(other),
        other.verdict,
    ]


def bounded(lines: Sequence[ClaimResult]) -> str:
    """Criteria on shares, or distances between them, that the interval which keeps its level near 0 and 1 would decide otherwise."""
    near = [
        (line, part)
        for line in lines
        for part in line.criteria
        if (line.claim.number, part.criterion.id) in SHARES and _near_an_end(part.estimate)
    ]
    turned = []
    for line, part in near:
        low, high = share_interval(list(part.estimate.seeds.values()))
        before, after = part.estimate.verdict(), _by(part.estimate, low, high)
        if before != after:
            place = f" ({part.condition})" if part.condition else ""
            turned.append(
                f"- {line.claim.number}, {part.criterion.label}{place}: {before} by {estimate_text(part)}, {after} by [{low:.3f} to {high:.3f}]"
            )
    if not near:
        return ""
    said = (
        f"{len(turned)} would be decided otherwise, so these seeds do not settle them:"
        if turned
        else "None of them would be decided otherwise."
    )
    head = f"{len(near)} criteria are on shares, or distances between them, under 0.1 or over 0.9, where Student's interval covers less than it says (docs/statistics.md). "
    return "\n".join(
        [f"{head}Each alone, at 95%, held against Wilson's form with the same spread: {said}", *turned]
    )


def _near_an_end(found: Estimate) -> bool:
    """Whether a mean over enough seeds lies where Student's interval fails; seeds without spread have no interval to compare."""
    return (
        len(found.seeds) >= FEWEST_SEEDS and not 0.1 <= found.mean <= 0.9 and found.high - found.low > 1e-12
    )


def _by(found: Estimate, low: float, high: float) -> Judgement:
    past, short = (
        (low > found.margin, high < found.margin)
        if found.rule == "above"
        else (high < found.margin, low > found.margin)
    )
    return "supported" if past else "contradicted" if short else "inconclusive"
