"""The ledger: a line per claim, as plain rows for CSV and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.artifacts import write_text
from .collect import collect
from .declare import Criterion
from .judge import Line, Part, judge_all
from .registry import CLAIMS, criteria_hash, program_hash
from .tables import Tables, load_tables, save_tables
from .tables import __doc__ as tables_doc

Row = dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """All lines, and what is known of the criteria that they were judged by."""

    tables: Tables
    lines: tuple[Line, ...]

    @property
    def counted(self) -> dict[str, int]:
        """Verdict -> number of claims."""
        verdicts = [line.verdict for line in self.lines]
        return {
            name: verdicts.count(name)
            for name in ("supported", "contradicted", "inconclusive", "not testable here")
        }

    @property
    def any_testable(self) -> bool:
        """Whether the study has the arms of some claim."""
        return any(line.parts for line in self.lines)

    @property
    def criteria_note(self) -> str:
        """Whether the criteria are those that stood when RL first started."""
        return criteria_note(self.tables.about.get("criteria") or {})


def criteria_note(recorded: Row, now: str | None = None) -> str:
    """One sentence on the criteria's hash, recorded and now."""
    current = now or criteria_hash()
    if not recorded.get("hash"):
        return f"Criteria {current}; the study has no record of the criteria from before its RL."
    when = f"recorded {recorded.get('recorded', 'at an unknown time')}"
    late = "" if recorded.get("before_first_rl", True) else ", after some RL had run already"
    program, computed = recorded.get("program"), program_hash()
    if program in (None, computed):
        how = ""
    else:
        how = f" The program that computes the statistics changed since, from {program} to {computed}; CHANGELOG.md says why."
    if recorded["hash"] == current:
        return f"Criteria {current}, {when}{late}, unchanged since.{how}"
    return f"THE CRITERIA CHANGED: {recorded['hash']} was {when}{late}; these verdicts are by {current}.{how}"


def make_ledger(tables: Tables) -> Ledger:
    """Every claim judged from the tables alone."""
    return Ledger(tables, tuple(judge_all(tables, CLAIMS)))


def open_ledger(folder: Path) -> Ledger:
    """The ledger of a study's folder, or of a folder of tables written earlier."""
    return make_ledger(load_tables(folder) if (folder / "about.json").is_file() else collect(folder))


def save_ledger(ledger: Ledger, folder: Path) -> list[Path]:
    """The tables, `ledger.csv` (a row per criterion and place) and `estimates.csv` (a row per seed)."""
    paths = save_tables(ledger.tables, folder)
    for name, rows in (("ledger", ledger_rows(ledger.lines)), ("estimates", estimate_rows(ledger.lines))):
        write_text(folder / f"{name}.csv", pl.DataFrame(rows, infer_schema_length=None).write_csv())
        paths.append(folder / f"{name}.csv")
    write_text(folder / "README.md", _readme(ledger.tables))
    return [*paths, folder / "README.md"]


def _readme(tables: Tables) -> str:
    """What each file is, and which rows of it verdicts read."""
    held = (tables_doc or "").strip().partition("\n\n")[2]
    return f"""# Tables of {tables.about.get("name", "a study")}

Every verdict is computed from these files alone: `echochamber ledger FOLDER --page results.md` judges again.

{held}
    about.json     recipe, commands, seeds, versions, seconds, and the criteria's hash from before the first RL run
    ledger.csv     a row per criterion and place: margin, mean, interval, p-values, verdict
    estimates.csv  a row per seed behind each of them, and behind what stands beside it

All but the last three are Parquet. `value` is a mean over problems of one seed. Unless a claim says otherwise it is read from the rows
with `problem_set` {tables.headline_set!r}, `split` 'test', the `temperature` of training and an empty `evaluation`: the study's own evaluation.
Named ones are those of `also_evaluate` in the recipe (halves_* have fewer problems and more samples, for `halves`).
`step` 0 is the base, the largest one the end of RL. `findings` are per-seed results of analyses over single completions, which are not kept here.
"""


def ledger_rows(lines: Sequence[Line]) -> list[Row]:
    """claim, verdict, criterion, where, rule, margin, mean, low, high, seeds, p-values, part's verdict, reason."""
    rows = []
    for line in lines:
        for part in line.parts or (None,):
            rows.append(
                {"claim": line.claim.number, "verdict": line.verdict} | _cells(part) | {"reason": line.reason}
            )
    return rows


def _cells(part: Part | None) -> Row:
    found = part.estimate if part else None
    return {
        "criterion": part.criterion.name if part else None,
        "where": part.where if part else None,
        "rule": part.criterion.rule if part else None,
        "margin": found.margin if found else None,
        "mean": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "seeds": len(found.seeds) if found else 0,
        "p_supported": part.p_supported if part else None,
        "p_contradicted": part.p_contradicted if part else None,
        "criterion_verdict": part.verdict if part else None,
    }


def estimate_rows(lines: Sequence[Line]) -> list[Row]:
    """Per-seed estimates behind every line: claim, kind, name, where, seed, value."""
    rows = []
    for line in lines:
        found = [("criterion", p.criterion.name, p.where, p.estimate.seeds) for p in line.parts]
        found += [(aside.kind, aside.name, aside.where, aside.seeds) for aside in line.asides]
        for kind, name, where, seeds in found:
            rows += [
                {
                    "claim": line.claim.number,
                    "kind": kind,
                    "name": name,
                    "where": where,
                    "seed": s,
                    "value": v,
                }
                for s, v in seeds.items()
            ]
    return rows


def criterion_text(criterion: Criterion, margin: float) -> str:
    """`> 0.9`, `< 0.02`, `within ±0.03`."""
    sign = {"above": "> ", "below": "< ", "within": "within ±"}[criterion.rule]
    return f"{sign}{margin:.3g}"


def measured_text(part: Part) -> str:
    """`0.97 [0.95 to 0.99], 3 seeds`."""
    found = part.estimate
    around = f" [{found.low:.3f} to {found.high:.3f}]" if found.low == found.low else " (no interval)"
    count = len(found.seeds)
    return f"{found.mean:.3f}{around}, {count} {'seed' if count == 1 else 'seeds'}"


__all__ = [
    "Ledger",
    "criteria_note",
    "criterion_text",
    "estimate_rows",
    "ledger_rows",
    "make_ledger",
    "measured_text",
    "open_ledger",
    "save_ledger",
]
