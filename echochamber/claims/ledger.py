"""The ledger: one result per claim, as plain rows for CSV and for the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..core.files import write_text
from ..core.study_tables import Tables
from ..core.study_tables import __doc__ as tables_doc
from ..core.table_files import save_tables
from .claim_set import ClaimSet
from .declare import Criterion
from .judge import ClaimResult, CriterionResult, judge_all
from .premises import PremiseResult, bounds_text

CsvRow = dict[str, object]


@dataclass(frozen=True)
class Ledger:
    """The results of one claim set on one study."""

    tables: Tables
    claim_set: ClaimSet
    lines: tuple[ClaimResult, ...]

    @property
    def counted(self) -> dict[str, int]:
        """Verdict -> number of claims."""
        verdicts = [line.verdict for line in self.lines]
        return {
            name: verdicts.count(name)
            for name in ("supported", "contradicted", "inconclusive", "premise not met", "not testable here")
            # Rules of version 1 know no premises.
            if name != "premise not met" or self.claim_set.rules > 1
        }

    @property
    def criteria_note(self) -> str:
        """Whether the criteria are those that were recorded before the first RL run."""
        return criteria_note(self.claim_set, self.tables.about.get("criteria") or {})


def criteria_note(claim_set: ClaimSet, recorded: Mapping[str, object]) -> str:
    """One or two sentences on the digest of the criteria, recorded and now."""
    earlier = claim_set.recorded(recorded)
    if not earlier:
        return f"Criteria {claim_set.digest}. The study has no record of the criteria from before its RL."
    when = f"recorded {recorded.get('recorded', 'at an unknown time')}"
    late = "" if recorded.get("before_first_rl", True) else ", after some RL had already run"
    if not claim_set.is_unchanged_since(earlier):
        return f"THE CRITERIA CHANGED. {earlier} was {when}{late}; these verdicts are by {claim_set.digest}."
    if earlier == claim_set.digest:
        return f"Criteria {earlier}, {when}{late}; unchanged since."
    return (
        f"Criteria {earlier}, {when}{late}. Arms, rules and margins are unchanged since; "
        f"without the wording, which no longer counts, their digest is {claim_set.digest}."
    )


def make_ledger(tables: Tables, claim_set: ClaimSet) -> Ledger:
    """Every claim of the set judged from the tables alone; `claim_names` of the recipe hold."""
    return Ledger(tables, claim_set, tuple(judge_all(tables.named_for_claims(), claim_set)))


def save_ledger(ledger: Ledger, folder: Path) -> list[Path]:
    """The tables, `ledger.csv` (a row per criterion and condition) and `estimates.csv` (a row per seed)."""
    paths = save_tables(ledger.tables, folder)
    for name, rows in (("ledger", ledger_rows(ledger.lines)), ("estimates", estimate_rows(ledger.lines))):
        write_text(folder / f"{name}.csv", pl.DataFrame(rows, infer_schema_length=None).write_csv())
        paths.append(folder / f"{name}.csv")
    write_text(folder / "README.md", _readme(ledger.tables))
    return [*paths, folder / "README.md"]


def _readme(tables: Tables) -> str:
    """What each file is, and which of its rows the verdicts read."""
    held = (tables_doc or "").strip().partition("\n\n")[2]
    return f"""# Tables of {tables.about.get("name", "a study")}

Every verdict is computed from these files alone.
`echochamber ledger FOLDER --page results.md` computes them again.

{held}
    about.json     recipe, commands, seeds, versions, seconds, digest of the criteria before the first RL run
    ledger.csv     a row per criterion and condition: margin, mean, interval, p-values, verdict
    estimates.csv  a row per seed behind each criterion, null model, sensitivity arm and other context

All but the last three files are Parquet. A `value` is the mean over problems for one seed.

Unless a claim says otherwise, its values come from rows with `problem_set` {tables.headline_set!r}
and `split` 'test'. Their `temperature` is that of training.
Their `evaluation` is empty, which means the study's own evaluation.
Other evaluations have the names of the recipe's `also_evaluate`.
halves_* have fewer problems and more samples.

`step` 0 is the base model, and the largest step is the end of RL.
`findings` are per-seed results of analyses over single completions, which are not kept here.
"""


def ledger_rows(lines: Sequence[ClaimResult]) -> list[CsvRow]:
    """Rows of `ledger.csv`: one per claim, criterion and condition."""
    return [
        {"claim": line.claim.number, "verdict": line.verdict} | cells | {"reason": line.reason}
        for line in lines
        for cells in _line_cells(line)
    ]


def _line_cells(line: ClaimResult) -> list[CsvRow]:
    """Cells of a claim's premises, then of its criteria; one empty row where there are none."""
    cells = [*map(_premise_cells, line.premises), *map(_cells, line.criteria)]
    return cells or [_cells(None)]


def _premise_cells(one: PremiseResult) -> CsvRow:
    """A premise's bounds are in words; its margin and p-values are empty."""
    low, high = one.interval
    return _cells(None) | {
        "criterion": f"premise: {one.premise.label}",
        "where": one.condition,
        "rule": bounds_text(one.premise),
        "mean": one.mean,
        "low": low,
        "high": high,
        "seeds": len(one.seeds),
        "criterion_verdict": "met" if one.met else "not met",
    }


def ledger_data(ledger: Ledger) -> dict[str, object]:
    """The ledger as plain data: what `echochamber ledger --json` prints."""
    return {
        "study": ledger.tables.about.get("name"),
        "set": ledger.claim_set.name,
        "criteria": {"digest": ledger.claim_set.digest, "note": ledger.criteria_note},
        "verdicts": ledger.counted,
        "claims": [
            {
                "number": line.claim.number,
                "name": line.claim.name or None,
                "statement": line.claim.statement,
                "verdict": line.verdict,
                "reason": line.reason or None,
                "caveats": list(line.caveats),
                "criteria": [_cells(one) for one in line.criteria],
            }
            | (
                {"premises": [_premise_cells(one) for one in line.premises], "qualifier": line.qualifier}
                if ledger.claim_set.rules > 1
                else {}
            )
            for line in ledger.lines
        ],
    }


def _cells(one: CriterionResult | None) -> CsvRow:
    found = one.estimate if one else None
    return {
        "criterion": one.criterion.label if one else None,
        "where": one.condition if one else None,
        "rule": one.criterion.rule if one else None,
        "margin": found.margin if found else None,
        "mean": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "seeds": len(found.seeds) if found else 0,
        "p_supported": one.p_supported if one else None,
        "p_contradicted": one.p_contradicted if one else None,
        "criterion_verdict": one.verdict if one else None,
    }


def estimate_rows(lines: Sequence[ClaimResult]) -> list[CsvRow]:
    """Per-seed estimates behind every line: claim, kind, name, where, seed, value."""
    rows = []
    for line in lines:
        found = [("premise", one.premise.label, one.condition, one.seeds) for one in line.premises]
        found += [
            ("criterion", one.criterion.label, one.condition, one.estimate.seeds) for one in line.criteria
        ]
        found += [(one.kind, one.name, one.condition, one.seeds) for one in line.context]
        for kind, name, condition, seeds in found:
            shared = {"claim": line.claim.number, "kind": kind, "name": name, "where": condition}
            rows += [shared | {"seed": seed, "value": value} for seed, value in seeds.items()]
    return rows


def criterion_text(criterion: Criterion, margin: float) -> str:
    """`> 0.9`, `< 0.02`, `within ±0.03`."""
    sign = {"above": "> ", "below": "< ", "within": "within ±"}[criterion.rule]
    return f"{sign}{margin:.3g}"


def estimate_text(one: CriterionResult) -> str:
    """`0.97 [0.95 to 0.99], 3 seeds`."""
    found = one.estimate
    around = f" [{found.low:.3f} to {found.high:.3f}]" if found.low == found.low else " (no interval)"
    count = len(found.seeds)
    return f"{found.mean:.3f}{around}, {count} {'seed' if count == 1 else 'seeds'}"


def result_text(one: CriterionResult) -> str:
    """One criterion in full: `share: 0.991 [0.987 to 0.994], 6 seeds; > 0.9: supported`."""
    margin = criterion_text(one.criterion, one.estimate.margin)
    return f"{one.label}: {estimate_text(one)}; {margin}: {one.verdict}"
