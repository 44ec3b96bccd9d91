"""One self-contained page from a study folder, finished or not."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import jinja2
import yaml
from markupsafe import Markup, escape

from ..core.files import write_text
from .arm_outcomes import arm_outcomes
from .arm_table import arm_table
from .averages import at, top_format
from .completions import carried_runs
from .findings import findings
from .headline import Changes
from .number_text import bounds, count, percent, set_text
from .page_data import null_ends, page_data, script_safe, study_formats
from .page_ledger import LedgerOf
from .page_words import first_screen
from .questions.mixture_plans import mixture_plans
from .questions.score_changes import paired_changes
from .questions.shortcut_baselines import shortcut_table
from .run_inputs import Parts, RunGroup, load_groups
from .runs import Run, ends, find_runs, problem_sets, shared_k
from .study_folder import KINDS, StoredStudy, load_study
from .summary import stage_seconds, study_summary, summarise_study

__all__ = ["build_report", "render_page", "study_summary"]

PAGE = files("echochamber.analysis") / "page"
SCRIPTS = (
    "chart.js",
    "central.js",
    "readout.js",
    "comparison.js",
    "overlay.js",
    "browser.js",
    "search.js",
    "main.js",
)
STATUSES = ("done", "running", "pending", "failed")


def build_report(study_folder: Path, output: Path | None = None, ledger: LedgerOf | None = None) -> Path:
    """Write the page (whole or not at all) and return its path, by default `report.html` in the study.

    A study that is still going gives a page of what is there and names what is missing; `UserError`
    only where there is no study or the page cannot be written.
    `ledger` judges the claims; None leaves them out.
    """
    study = load_study(study_folder)
    runs = find_runs(study)
    target = output or study_folder / "report.html"
    write_text(target, render_page(study, runs, ledger))
    return target


def render_page(
    study: StoredStudy, runs: list[Run], ledger: LedgerOf | None = None, live: bool = False
) -> str:
    """The HTML text; everything from outside is escaped by the template or by `script_safe`.

    `live`: for the loopback server, with a script that asks it for newer versions.
    """
    formats = study_formats(study, runs)
    summary = summarise_study(study, runs)
    sets = problem_sets(runs)
    analysed = {runs[place].group for place in carried_runs(runs)}
    groups = load_groups(study, runs, sets[0], analysed) if sets else []
    names = (*SCRIPTS, *(["live.js"] if live else []))
    style = (PAGE / "report.css").read_text(encoding="utf-8")
    scripts = [(PAGE / name).read_text(encoding="utf-8") for name in names]
    data = page_data(study, runs, formats)
    nulls = null_ends(data, runs)
    changes = [_changes(groups, name) for name, _ in sets]
    outcomes = [
        arm_outcomes(runs, pair, changes[place], {} if place else nulls) for place, pair in enumerate(sets)
    ]
    data["arms"] = [arm_table(found) for found in outcomes]
    return _template().render(
        study=study,
        summary=summary,
        sets=sets,
        first=first_screen(summary, runs, sets, outcomes, changes, formats, nulls),
        compared=any(data["arms"]),
        findings=findings(study, groups, sets[0][0]) if sets else [],
        ledger=ledger(study) if ledger else None,
        arms=arm_rows(runs, sets[0]) if sets else [],
        plans=mixture_plans(study),
        shortcuts=shortcut_table(study),
        counted={status: sum(node.status == status for node in study.nodes) for status in STATUSES},
        seconds=stage_seconds(study),
        nodes=sorted(
            study.nodes, key=lambda node: KINDS.index(node.kind) if node.kind in KINDS else len(KINDS)
        ),
        recipe=yaml.safe_dump(study.recipe, sort_keys=False, allow_unicode=True),
        libraries=libraries(study),
        runs=len(runs),
        groups=len(groups),
        carried=len(data["completions"]["carried"]),
        data=script_safe(data),
        style=style,
        scripts=scripts,
        policy=Markup(content_policy(style, scripts, live)),
        live=live,
    )


def _changes(groups: Sequence[RunGroup], problem_set: str) -> dict[Parts, Changes]:
    """Paired intervals of the scores' changes, by group."""
    return {one.parts: paired_changes(one.inputs, problem_set) for one in groups if one.inputs}


def content_policy(style: str, scripts: Sequence[str], live: bool) -> str:
    """The page's Content-Security-Policy: scripts and the style sheet by their hash, nothing from elsewhere.

    Attributes `style` stay allowed: they set widths and colours of marks, and run nothing.
    """

    def hashed(texts: Sequence[str]) -> str:
        digests = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    rules = ["default-src 'none'", "img-src data:", "form-action 'none'", "base-uri 'none'"]
    rules += ["connect-src 'self'"] if live else []
    rules += [
        f"script-src {hashed(scripts)}",
        f"style-src {hashed([style])}",
        "style-src-attr 'unsafe-inline'",
    ]
    return "; ".join(rules)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent,
        "bounds": bounds,
        "duration": duration,
        "count": count,
        "code": code,
        "set_text": set_text,
    }
    return environment.from_string((PAGE / "report.html.j2").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class ArmCell:
    """One score of one checkpoint of a run, and the completions behind it."""

    value: float | None
    interval: list[float] | None
    step: int | None
    format: str
    k: str | None


@dataclass(frozen=True)
class ArmRow:
    """One run: its winner, then six cells: the winner's share, pass@1 and pass@k, before and after."""

    index: int
    run: Run
    winner: str | None
    k: str
    cells: list[ArmCell]


def arm_rows(runs: Sequence[Run], chosen: tuple[str, str]) -> list[ArmRow]:
    """One table row per run."""
    rows = []
    for index, run in enumerate(runs):
        base, final = ends(run, chosen)
        winner = top_format(final) if final else None
        k = shared_k([row for row in (base, final) if row])
        paths: list[tuple[str, ...]] = [("formats", winner or "", "share"), ("accuracy",), ("pass@k", k)]
        cells = [
            ArmCell(
                at(row, path),
                at(row, ("intervals", *path)),
                at(row, ("step",)),
                winner or "" if path[0] == "formats" else "",
                k if path[0] == "pass@k" else None,
            )
            for path in paths
            for row in (base, final)
        ]
        rows.append(ArmRow(index, run, winner, k, cells))
    return rows


def libraries(study: StoredStudy) -> list[str]:
    """Each set of library versions that made a stage, as one line."""
    found = (node.manifest.libraries for node in study.nodes)
    return sorted(
        {", ".join(f"{name} {number}" for name, number in sorted(one.items())) for one in found if one}
    )


def code(text: str) -> Markup:
    """HTML of a line of text in which backticks mark names; everything else is escaped.

    >>> code("RL is on `medium` & <b>")
    Markup('RL is on <code>medium</code> &amp; &lt;b&gt;')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def duration(seconds: float | None) -> str:
    """`2 min 50 s`; a dash where no time is recorded.

    >>> duration(170.2), duration(8.46), duration(7320), duration(None)
    ('2 min 50 s', '8.5 s', '2 h 2 min', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
