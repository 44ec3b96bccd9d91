"""All figures that a study has data for, as PNG and SVG."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from ...core.artifacts import make_folder
from ..page_data import written_formats
from ..runs import Run, find_runs, problem_sets
from ..study_folder import Study, load_study, scan_table
from ..summary import ends
from ..tables.common import over_seeds
from ..tables.dynamics import style_shares
from ..tables.gains import paired_gains
from ..tables.gains import support as support_rows
from . import figures
from .look import SETTINGS

DOTS_PER_INCH = 300
MOST_ARMS = 6
"""Arms that fit beside each other on a page."""


def save_figures(study_folder: Path, output: Path | None = None) -> list[Path]:
    """Write every figure the study has data for below `output` (default: `figures` in the study)."""
    study = load_study(study_folder)
    folder = make_folder(output or study_folder / "figures")
    written = []
    for name, figure in study_figures(study):
        for path in (folder / f"{name}.png", folder / f"{name}.svg"):
            with mpl.rc_context(SETTINGS):
                figure.savefig(
                    path,
                    dpi=DOTS_PER_INCH,
                    metadata={"Date": None} if path.suffix == ".svg" else {"Software": None},
                )
            written.append(path)
    return written


def study_figures(study: Study) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure), group by group."""
    runs = find_runs(study)
    sets = problem_sets(runs)
    if not sets:
        return
    formats = written_formats(runs)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault("-".join(part for part in run.group if part), []).append(run)
    k = shared_k(runs, sets[0])
    for label, members in groups.items():
        yield f"dynamics-{label}", figures.dynamics(members, sets[0], formats, k)
        yield from _group_figures(study, label, members, sets[0])
    if len(groups) > 1:
        yield "arms", figures.arms(dict(list(groups.items())[:MOST_ARMS]), sets[0], formats, k)


def _group_figures(
    study: Study, label: str, runs: list[Run], chosen: tuple[str, str]
) -> Iterator[tuple[str, Figure]]:
    base, final = ends(runs[0], chosen)
    if base and final:
        yield f"pass-curves-{label}", figures.pass_curves(base, final)
    tables = [table for run in runs if (table := problem_table(study, run)) is not None]
    if len(tables) == len(runs):
        gains = over_seeds([paired_gains(table) for table in tables], ["problem_set", "quantity"])
        if len(gains):
            yield f"transfer-{label}", figures.transfer(gains)
        found = over_seeds([support_rows(table, chosen[0]) for table in tables], ["k", "kind"])
        if len(found):
            yield f"support-{label}", figures.support(found)
    scans = [scan_table(study, node, "records.parquet") for node in runs[0].evaluations]
    known = [scan for scan in scans if scan is not None]
    if not known:
        return
    styles = style_shares(pl.concat(known, how="diagonal"), chosen[0])
    for name, feature in styles.select("format", "feature").unique(maintain_order=True).rows():
        yield f"style-{name}-{feature}-{label}", figures.style(styles, name, feature)


def problem_table(study: Study, run: Run) -> pl.DataFrame | None:
    """`problems.parquet` of all evaluations of one run, None when none is readable."""
    needed = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")
    scans = [scan_table(study, node, "problems.parquet", needed) for node in run.evaluations]
    known = [scan.collect() for scan in scans if scan is not None]
    return pl.concat(known, how="diagonal_relaxed") if known else None


def shared_k(runs: list[Run], chosen: tuple[str, str]) -> str:
    """Largest k that the base and the last checkpoint of every run know."""
    rows = [row for run in runs for row in ends(run, chosen) if row]
    known = [{int(k) for k, value in row["pass@k"].items() if value is not None} for row in rows]
    return str(max(set.intersection(*known), default=1)) if known else "1"
