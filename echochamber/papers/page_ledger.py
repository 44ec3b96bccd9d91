"""Verdicts for the report page, on the claims that a recipe names."""

import polars as pl

from ..analysis.page_ledger import PageLedger, PageLine
from ..analysis.study_folder import StoredStudy
from ..analysis.study_tables.collect import collect
from ..claims.claim_set import ClaimSet
from ..claims.declare import Claim
from ..claims.judge import RULES
from ..claims.ledger import criteria_note, result_text
from ..core.errors import UserError
from .catalogue import find_claims


def page_ledger(study: StoredStudy) -> PageLedger | None:
    """None where the recipe names no claims, or where none of them can be tested."""
    try:
        wanted = _named_claims(study)
        if not any(_has_arms(study, claim) for _, claim in wanted):
            return None
        tables = collect(study.folder, findings=False)
        lines = [(claims, RULES[claims.rules](claim, tables)) for claims, claim in wanted]
    except (pl.exceptions.PolarsError, UserError) as error:
        study.warn(f"the claims cannot be judged ({str(error).splitlines()[0]})")
        return None
    if not any(line.criteria for _, line in lines):
        return None
    shown = [
        PageLine(
            claims.reference(line.claim),
            line.claim.statement,
            line.verdict,
            [result_text(one) for one in line.criteria],
            line.comment,
        )
        for claims, line in lines
    ]
    sets = {claims.name: claims for claims, _ in lines}.values()
    recorded = tables.about.get("criteria") or {}
    return PageLedger(shown, " ".join(criteria_note(claims, recorded) for claims in sets))


def _named_claims(study: StoredStudy) -> list[tuple[ClaimSet, Claim]]:
    """The claims that the recipe of a study folder names; anything else there counts as none."""
    wanted = study.recipe.get("claims")
    named = wanted if isinstance(wanted, list) else []
    return find_claims(one for one in named if isinstance(one, int | str))


def _has_arms(study: StoredStudy, claim: Claim) -> bool:
    """Whether the study has every arm of a claim; asked first, since collecting reads all records."""
    known = {f"{node.mixture}/{node.arm}" for node in study.of_kind("rl")}
    return all(name in known or name.startswith("*") for name in claim.arms)
