"""`docs/RESULTS.md`: the ledger in Markdown, every number from the tables."""

from collections.abc import Sequence
from statistics import mean

import polars as pl

from .declare import Aside
from .estimate import estimate
from .judge import Line
from .ledger import Ledger, criterion_text, measured_text
from .phase import phase_rows
from .registry import CLAIMS
from .stability import check_stability, overall
from .tables import BASE, Tables


def results_page(ledger: Ledger, command: str) -> str:
    """The whole page; `command` is what writes it."""
    tables, about = ledger.tables, ledger.tables.about
    counted = ", ".join(f"{number} {verdict}" for verdict, number in ledger.counted.items())
    parts = [
        f"# Results of {about.get('name', 'a study')}",
        f"Written by `{command}`; no figure here is entered by hand. Change the tables or the program, not this page.",
        f"{about.get('question') or ''}\n\n**{counted}** of {len(ledger.lines)} claims. {_state(tables)}",
        ledger.criteria_note,
        "## Ledger",
        "Intervals are Student's 95% over pretraining seeds. A criterion is met when its interval lies wholly past the margin, contradicted\n"
        "when it lies wholly short of it. Per-seed values are in `estimates.csv`, the tables behind them beside it.",
        _ledger(ledger.lines),
        "## Claim by claim",
        *[_claim(line) for line in ledger.lines],
        "## Would other seeds say the same?",
        _stability(tables),
        "## Forecasts from the base alone",
        _forecasts(tables),
        "## Phase map",
        _phase(tables),
        "## Base models",
        _bases(tables),
    ]
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _state(tables: Tables) -> str:
    about = tables.about
    done, stages = about.get("stages_done"), about.get("stages")
    hours = sum((about.get("seconds") or {}).values()) / 3600
    scope = f"scope {about['scope']}, " if about.get("scope") else ""
    missing = "" if done == stages else f" ({done} of {stages} stages are finished; what is missing is not testable yet)"
    return f"{scope}seeds {', '.join(map(str, about.get('seeds') or []))}; {hours:.1f} hours of stages{missing}; code {', '.join(about.get('code_versions') or ['unknown'])}."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells may hold anything."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)])


def _ledger(lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        cells = [
            f"{part.criterion.name}{f' ({part.where})' if part.where else ''}: {measured_text(part)}; {criterion_text(part.criterion, part.estimate.margin)}: {part.verdict}"
            for part in line.parts
        ]
        rows.append([str(line.claim.number), line.claim.statement, f"**{line.verdict}**", "<br>".join(cells) or line.reason])
    return table(["#", "claim", "verdict", "measured"], rows)


def _claim(line: Line) -> str:
    claim = line.claim
    facts = [
        f"### {claim.number}. {claim.statement}",
        f"Paper: {claim.source}. Arms: {', '.join(f'`{name}`' for name in claim.arms)}. Contradicted by: {claim.contradicted_by}.",
        f"**{line.verdict}**" + (f": {line.reason}" if line.reason else ""),
    ]
    if line.parts:
        rows = [
            [part.criterion.statistic, part.where, measured_text(part), criterion_text(part.criterion, part.estimate.margin), part.verdict]
            for part in line.parts
        ]
        facts.append(table(["statistic, per seed", "where", "mean over seeds", "criterion", "verdict"], rows))
    if line.asides:
        facts.append(table(["beside it", "where", "kind", "mean over seeds"], [_aside(aside) for aside in line.asides]))
    facts += [f"- {remark}" for remark in line.remarks]
    return "\n\n".join(facts)


def _aside(aside: Aside) -> list[str]:
    if not aside.seeds:
        return [aside.name, aside.where, aside.kind, "not measured"]
    found = estimate(aside.seeds, "above", 0.0)
    around = f" [{found.low:.3f} to {found.high:.3f}]" if found.low == found.low else ""
    return [aside.name, aside.where, aside.kind, f"{found.mean:.3f}{around}, {len(aside.seeds)} seeds"]


def _stability(tables: Tables) -> str:
    found = check_stability(tables, list(CLAIMS.values()))
    if not found:
        return "No claim has six seeds yet."
    kept, turned = overall(found)
    rows = [
        [str(one.claim.number), f"{one.kept:.0%}", str(one.turned), ", ".join(sorted({v for pair in one.verdicts for v in pair}))] for one in found
    ]
    text = (
        f"Six seeds, all {len(found[0].splits)} splits three against three: {kept:.0%} of splits give both halves the same verdict; "
        f"supported turns contradicted in {turned}."
    )
    return text + "\n\n" + table(["claim", "splits that agree", "splits that turn", "verdicts seen"], rows)


def _forecasts(tables: Tables) -> str:
    frame = tables.frames["forecasts"].filter((pl.col("arm") == "ppo") & (pl.col("forecast") != "what happened"))
    if not len(frame):
        return "No PPO arm has finished."
    scored = frame.group_by("forecast").agg(pl.len(), pl.col("brier").mean(), pl.col("total_variation").mean(), pl.col("hit").mean())
    rows = [
        [name, str(number), f"{brier:.3f}", f"{variation:.3f}", f"{hit:.2f}"]
        for name, number, brier, variation, hit in scored.sort("brier", "forecast").rows()
    ]
    return "Over all PPO runs; lower is better but for the last column.\n\n" + table(
        ["forecast", "runs", "Brier score", "total variation", "winner hit rate"], rows
    )


def _phase(tables: Tables) -> str:
    """Two formats of equal length from several base shares and accuracy gaps."""
    columns = ["mixture", "seeds", "base share of the first", "its lead in base accuracy", "final share of the first", "winner", "foretold by the replicator flow"]
    rows = phase_rows(tables)
    return table(columns, rows) if rows else "No arm of the map has finished."


def _bases(tables: Tables) -> str:
    """Mean over seeds of the base's pass@1, pass@64 and shares, so that the bands can be checked."""
    groups: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for (mixture, size, arm, start, problems, split, _, evaluation, quantity), seeds in tables.scores.items():
        if arm == BASE and start is None and split == "test" and not evaluation:
            cells = groups.setdefault((mixture, size, problems), {})
            cells[quantity] = [steps[0] for steps in seeds.values() if 0 in steps]
    rows = []
    for (mixture, size, problems), cells in sorted(groups.items()):
        written = {q.removeprefix("share/"): mean(v) for q, v in cells.items() if q.startswith("share/") and mean(v) >= 0.005}
        right = {name: mean(cells[f"right/{name}"]) for name in written if cells.get(f"right/{name}")}
        formats = ", ".join(f"{name} {share:.2f} ({right.get(name, 0.0) / share:.2f})" for name, share in sorted(written.items(), key=lambda i: -i[1]))
        numbers = [f"{mean(cells[q]):.3f}" if cells.get(q) else "–" for q in ("accuracy", "pass@64", "truncated")]
        rows.append([mixture, size, problems, str(len(cells.get("accuracy", []))), *numbers, formats])
    return table(["mixture", "size", "problems", "seeds", "pass@1", "pass@64", "truncated", "share (accuracy) of formats"], rows) if rows else ""
