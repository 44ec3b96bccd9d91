"""`docs/RESULTS.md`: the ledger and what stands with it, every number from the tables.

The sentences are in `results.md.j2`; this file and the other `results_*` files prepare what they hold.
"""

from collections.abc import Mapping

from ...analysis.questions.selection_or_skill import INTERACTION
from ...claims.declare import Context
from ...claims.judge import ClaimResult, CriterionResult
from ...claims.ledger import Ledger, criterion_text, estimate_text, result_text
from ...core.study_tables import BEYOND, Tables
from .gain_parts import gain_table
from .markdown import mean_text, render, seeds_text
from .phase import phase
from .results_bases import bases, costs
from .results_findings import analysis, errors
from .results_forecasts import forecasts
from .results_nulls import nulls
from .results_study import missing, provenance, stability, terms
from .robustness import bounded, greedy

EXPLORED = ("echo_chamber", "paper-nano")
"""The claim set and the study whose page says what was wrong with its readings."""


def results_page(ledger: Ledger, command: str, figures: Mapping[str, str] | None = None) -> str:
    """The whole page; `command` is what writes it, `figures` maps names to links from where the page lies."""
    tables, about = ledger.tables, ledger.tables.about
    page = render(
        "page",
        name=about.get("name", "a study"),
        command=command,
        question=about.get("question") or "",
        counted=", ".join(f"{number} {verdict}" for verdict, number in ledger.counted.items()),
        notes=(about.get("recipe") or {}).get("notes") or [],
        explored=(ledger.claim_set.name, about.get("name")) == EXPLORED,
        criteria=ledger.criteria_note,
        figures=figures or {},
        ledger=[_ledger_row(line) for line in ledger.lines],
        claims=[_claim(line) for line in ledger.lines],
        greedy=greedy(ledger.lines, tables),
        bounded=bounded(ledger.lines),
        sections={
            "provenance": provenance(tables),
            "terms": terms(tables),
            "nulls": nulls(tables),
            "forecasts": forecasts(tables),
            "errors": errors(tables),
            "phase": phase(tables),
            "stability": stability(tables),
            "bases": bases(tables),
            "costs": costs(tables),
            "missing": missing(tables),
        },
        analyses={
            "selection": gain_table(tables),
            "selection_by_problem": by_problem(tables),
            "baselines": analysis(tables, "baselines"),
            "probes": analysis(tables, "probes"),
            "support": analysis(tables, "support"),
            "likelihood": analysis(tables, "likelihood"),
            "floors": analysis(tables, "floors", ("ppo",)),
            "floors_beyond": analysis(tables, f"floors/{BEYOND}", ("ppo",)),
        },
    )
    return without_gaps(page) + "\n"


def by_problem(tables: Tables) -> str:
    """The split problem by problem; empty for studies whose tables hold it without its interaction."""
    items = {item for found in tables.findings.values() for item in found.get("selection", {})}
    return analysis(tables, "selection") if INTERACTION in items else ""


def without_gaps(text: str) -> str:
    """The text with at most one empty line between paragraphs."""
    paragraphs = (part.strip("\n") for part in text.split("\n\n"))
    return "\n\n".join(part for part in paragraphs if part.strip())


def _ledger_row(line: ClaimResult) -> list[str]:
    results = "<br>".join(result_text(one) for one in line.criteria)
    return [line.claim.label, line.claim.statement, f"**{line.verdict}**", results, line.comment]


def _claim(line: ClaimResult) -> dict[str, object]:
    return {
        "claim": line.claim,
        "verdict": line.verdict,
        "reason": line.reason,
        "criteria": [_criterion_row(one) for one in line.criteria],
        "context": [_context_row(one) for one in line.context],
        "notes": [*line.caveats, *line.notes],
    }


def _criterion_row(one: CriterionResult) -> list[str]:
    margin = criterion_text(one.criterion, one.estimate.margin)
    described = one.criterion.description
    return [one.criterion.label, described, one.condition, estimate_text(one), margin, one.verdict]


def _context_row(one: Context) -> list[str]:
    found = f"{mean_text(one.seeds)}, {seeds_text(len(one.seeds))}" if one.seeds else "not measured"
    return [one.name, one.condition, one.kind, found]
