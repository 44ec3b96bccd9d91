"""The ledger as the page shows it: the recipe's claims, where the study has the arms of at least one."""

from dataclasses import dataclass

import polars as pl

from ..core.errors import UserError
from .study_folder import Study


@dataclass(frozen=True)
class PageLine:
    """One claim."""

    number: int
    statement: str
    verdict: str
    measured: list[str]
    """Criterion, estimate with interval, margin, and its own verdict; one text each."""
    reason: str


@dataclass(frozen=True)
class PageLedger:
    """The lines and what is known of the criteria."""

    lines: list[PageLine]
    criteria: str


def page_ledger(study: Study) -> PageLedger | None:
    """None where the recipe names no claims, or where none of them can be tested."""
    from ..claims.collect import collect
    from ..claims.ledger import criterion_text, make_ledger, measured_text

    wanted = study.recipe.get("claims")
    if not isinstance(wanted, list) or not any(_has_arms(study, number) for number in wanted):
        return None
    try:
        ledger = make_ledger(collect(study.folder, findings=False))
    except (pl.exceptions.PolarsError, UserError) as error:
        study.trouble(f"the claims cannot be judged ({str(error).splitlines()[0]})")
        return None
    lines = [line for line in ledger.lines if line.claim.number in wanted]
    if not any(line.parts for line in lines):
        return None
    shown = []
    for line in lines:
        measured = [
            f"{part.criterion.name}{f' ({part.where})' if part.where else ''}: {measured_text(part)}; "
            f"{criterion_text(part.criterion, part.estimate.margin)}: {part.verdict}"
            for part in line.parts
        ]
        shown.append(PageLine(line.claim.number, line.claim.statement, line.verdict, measured, line.beside))
    return PageLedger(shown, ledger.criteria_note)


def _has_arms(study: Study, number: object) -> bool:
    """Whether the study has every arm of a claim; asked first, since collecting the tables reads all records."""
    from ..claims.registry import CLAIMS

    claim = CLAIMS.get(number) if isinstance(number, int) else None
    known = {f"{node.mixture}/{node.arm}" for node in study.of_kind("rl")}
    return claim is not None and all(name in known or name.startswith("*") for name in claim.arms)
