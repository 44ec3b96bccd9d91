"""The criteria judged otherwise, beside the verdicts and never in them: greedy answers, and intervals that know what a share is."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from ...stats.intervals import share_interval
from .estimate import Estimate, Verdict
from .judge import Line, Part, judge
from .ledger import criterion_text, measured_text
from .results_parts import table
from .tables import Tables

NOTE = (
    "pass@1 in the criteria is the accuracy of a single sample at the temperature of training (the mean of 64), which RL optimises; the paper's is one greedy answer. "
    "A base loses more by sampling than a policy that RL has sharpened, so the two can differ. The criteria stay as they were fixed; "
)


def with_greedy(tables: Tables) -> Tables:
    """The same study with greedy accuracy in the place of that of single samples."""
    scores = tables.frames["scores"].filter(pl.col("quantity") != "accuracy")
    renamed = scores.with_columns(quantity=pl.col("quantity").replace("greedy", "accuracy"))
    return replace(tables, frames=tables.frames | {"scores": renamed})


def greedy(lines: Sequence[Line], tables: Tables) -> str:
    """What each criterion on pass@1 would say, and the claims whose verdict would be another."""
    swapped = with_greedy(tables)
    rows, turned = [], []
    for line in lines:
        other = judge(line.claim, swapped)
        before = {(part.criterion.name, part.where): part for part in line.parts}
        changed = [part for part in other.parts if (found := before.get((part.criterion.name, part.where))) and found.estimate.seeds != part.estimate.seeds]
        rows += [_row(line, before[part.criterion.name, part.where], part) for part in changed]
        if changed and other.verdict != line.verdict:
            turned.append(f"{line.claim.number} ({line.verdict} with single samples, {other.verdict} with greedy answers)")
    if not rows:
        return "No criterion on pass@1 was measured with greedy answers."
    said = f"with greedy answers the verdict of {len(turned)} {'claim' if len(turned) == 1 else 'claims'} would be another" + (f": {', '.join(turned)}." if turned else ".")
    return NOTE + said + "\n\n" + table(["claim", "criterion", "one sample", "", "greedy", ""], rows)


def _row(line: Line, one: Part, other: Part) -> list[str]:
    label = f"{one.criterion.statistic}{f' ({one.where})' if one.where else ''}: {criterion_text(one.criterion, one.estimate.margin)}"
    return [str(line.claim.number), label, measured_text(one), one.verdict, measured_text(other), other.verdict]


def bounded(lines: Sequence[Line]) -> str:
    """Criteria on shares, or distances between shares, whose verdict would change with the interval that keeps its level near 0 and 1."""
    shares = [(line, part) for line in lines for part in line.parts if part.rival is None and _is_share(part)]
    turned = [
        f"- {line.claim.number}, {part.criterion.name}{f' ({part.where})' if part.where else ''}: {part.estimate.verdict()} by {measured_text(part)}, {verdict} by [{low:.3f} to {high:.3f}]"
        for line, part in shares
        for low, high in [share_interval(list(part.estimate.seeds.values()))]
        if (verdict := _by(part.estimate, low, high)) != part.estimate.verdict()
    ]
    if not shares:
        return ""
    said = "None of them would be decided otherwise." if not turned else f"{len(turned)} would be decided otherwise, so these seeds do not settle them:"
    return f"{len(shares)} criteria are on shares, or distances between them, under 0.1 or over 0.9, where Student's interval covers less than it says (docs/statistics.md). Held against Wilson's form with the same spread: {said}" + "".join(
        f"\n{line}" for line in turned
    )


def _is_share(part: Part) -> bool:
    """Whether every seed's value is a share and their mean lies where Student's interval fails; those without spread have none."""
    values = list(part.estimate.seeds.values())
    near = not 0.1 <= part.estimate.mean <= 0.9
    return near and part.criterion.unit == "" and "share" in part.criterion.statistic and all(0 <= v <= 1 for v in values) and part.estimate.high - part.estimate.low > 1e-12


def _by(found: Estimate, low: float, high: float) -> Verdict:
    past, short = (low > found.margin, high < found.margin) if found.rule == "above" else (high < found.margin, low > found.margin)
    return "supported" if past else "contradicted" if short else "inconclusive"
