"""How the study was run, what is missing, and whether other seeds would give the same verdicts."""

from collections.abc import Sequence
from typing import Any

from ...claims.estimate import FEWEST_SEEDS
from ...claims.stability import agreeing, check_stability, overall, wider
from ...core.study_tables import Tables
from .claim_set import CLAIMS, ECHO_CHAMBER
from .collapse import MIXTURE
from .markdown import render


def provenance(tables: Tables) -> str:
    """Command, seeds, versions, time, and how much is done."""
    about = tables.about
    seconds = about.get("seconds") or {}
    return render(
        "provenance",
        commands=about.get("commands") or [],
        scope=about.get("scope") or "none",
        seeds=about.get("seeds") or [],
        versions=about.get("code_versions") or ["unknown"],
        libraries=[f"{name} {version}" for name, version in (about.get("libraries") or {}).items()],
        machine_hours=(about.get("machine_seconds") or 0) / 3600,
        stage_hours=sum(seconds.values()) / 3600,
        kinds=[f"{kind} {value / 3600:.2f}" for kind, value in sorted(seconds.items()) if value],
        done=about.get("stages_done"),
        stages=about.get("stages"),
    )


def terms(tables: Tables) -> str:
    """A folded table of terms; nothing for a study that has none of these arms."""
    return render("terms") if any(mixture == MIXTURE for mixture, _, _ in tables.runs) else ""


def stability(tables: Tables) -> str:
    """Verdicts under every split of six seeds into three and three."""
    found = check_stability(tables, ECHO_CHAMBER)
    if not found:
        return render("stability", rows=[], splits=0, kept=0.0, turned=0, agreeing=0.0, wider=0.0)
    kept, turned = overall(found)
    rows = [
        [
            one.claim.label,
            one.whole,
            f"{one.agrees:.0%}",
            f"{one.kept:.0%}",
            str(one.turned),
            _counted(one.verdicts),
        ]
        for one in found
    ]
    return render(
        "stability",
        rows=rows,
        splits=len(found[0].splits),
        kept=kept,
        turned=turned,
        agreeing=agreeing(found),
        wider=wider(FEWEST_SEEDS, 2 * FEWEST_SEEDS),
    )


def _counted(verdicts: Sequence[tuple[str, str]]) -> str:
    halves = [verdict for pair in verdicts for verdict in pair]
    return ", ".join(f"{verdict} {halves.count(verdict)}" for verdict in sorted(set(halves)))


def missing(tables: Tables) -> str:
    """Arms that are not finished on every planned seed, and stages that failed."""
    arms = tables.about.get("arms") or []
    waiting = [row for row in arms if row["done"] != row["planned"]]
    compared = {name for claim in CLAIMS.values() for name in claim.arms if "*" not in name}
    absent = sorted(compared - {f"{mixture}/{name}" for mixture, _, name in tables.runs})
    return render("missing", total=len(arms), absent=absent, rows=[_missing_row(row) for row in waiting])


def _missing_row(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['mixture']}/{row['arm']}",
        row["size"],
        ", ".join(map(str, row["done"])) or "none",
        ", ".join(str(seed) for seed in row["planned"] if seed not in row["done"]),
        ", ".join(row["failed"]) or "–",
    ]
