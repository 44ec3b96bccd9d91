"""Robustness of the verdicts: greedy answers in place of samples, and intervals for shares near 0 and 1.

Neither enters a verdict.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from ...claims.estimate import FEWEST_SEEDS, Estimate, Judgement
from ...claims.judge import RULES, ClaimResult, CriterionResult
from ...claims.ledger import criterion_text, estimate_text
from ...claims.select import TEST
from ...core.study_tables import Tables
from ...stats.intervals import share_interval
from .claim_set import ECHO_CHAMBER
from .markdown import render

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
    """The same study with greedy accuracy in place of sampled accuracy on test; choices on dev stay."""
    test, greedy = pl.col("split") == TEST, pl.col("quantity") == "greedy"
    scores = tables.frames["scores"].filter(~(test & (pl.col("quantity") == "accuracy")))
    renamed = scores.with_columns(
        quantity=pl.when(test & greedy).then(pl.lit("accuracy")).otherwise(pl.col("quantity"))
    )
    return replace(tables, frames=tables.frames | {"scores": renamed})


def greedy(lines: Sequence[ClaimResult], tables: Tables) -> str:
    """What each criterion on pass@1 would say with greedy answers, and which verdicts would change."""
    swapped = with_greedy(tables)
    rows: list[list[str]] = []
    turned: list[dict[str, str]] = []
    for line in lines:
        other = RULES[ECHO_CHAMBER.rules](line.claim, swapped)
        before = {(one.criterion.id, one.condition): one for one in line.criteria}
        for one in other.criteria:
            found = before.get((one.criterion.id, one.condition))
            if found and found.estimate.seeds != one.estimate.seeds:
                rows.append(_row(line, found, one))
        if other.verdict != line.verdict:
            reason = other.reason if other.verdict == "not testable here" else ""
            turned.append(
                {
                    "claim": line.claim.label,
                    "sampled": line.verdict,
                    "greedy": other.verdict,
                    "reason": reason,
                }
            )
    return render("greedy", rows=rows, turned=turned)


def _row(line: ClaimResult, one: CriterionResult, other: CriterionResult) -> list[str]:
    place = f" ({one.condition})" if one.condition else ""
    margin = criterion_text(one.criterion, one.estimate.margin)
    label = f"{one.criterion.description}{place}: {margin}"
    return [
        line.claim.label,
        label,
        estimate_text(one),
        one.verdict,
        estimate_text(other),
        other.verdict,
    ]


def bounded(lines: Sequence[ClaimResult]) -> str:
    """Criteria on shares, or distances of shares, that a bounded interval would decide differently."""
    near = [
        (line, one)
        for line in lines
        for one in line.criteria
        if (line.claim.number, one.criterion.id) in SHARES and _near_an_end(one.estimate)
    ]
    turned: list[dict[str, str]] = []
    for line, one in near:
        low, high = share_interval(list(one.estimate.seeds.values()))
        before, after = one.estimate.verdict(), _by(one.estimate, low, high)
        if before != after:
            turned.append(
                {
                    "claim": line.claim.label,
                    "criterion": one.label,
                    "before": before,
                    "estimate": estimate_text(one),
                    "after": after,
                    "interval": f"[{low:.3f} to {high:.3f}]",
                }
            )
    return render("bounded", near=len(near), turned=turned)


def _near_an_end(found: Estimate) -> bool:
    """Whether the mean lies where Student's interval under-covers; without spread there is no interval."""
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
