"""All figures that a study has data for, as PNG and SVG."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from ...core.artifacts import make_folder
from ..averages import average_rows
from ..null_model import null_path, thin
from ..questions.chance_floor import pass_variants
from ..questions.coverage import coverage_precision
from ..questions.estimates import over_seeds
from ..questions.first_errors import flip_errors
from ..questions.forecasts import forecast_tables, over_runs, shared_forecasts
from ..questions.format_style import style_estimates
from ..questions.likelihood import likelihood_changes
from ..questions.paper_scorer import two_scorers
from ..questions.score_changes import paired_gains
from ..questions.selection_or_skill import selection_or_skill
from ..questions.support import support as support_rows
from ..questions.training_free import method_rows
from ..run_inputs import RunInputs, run_inputs
from ..runs import Run, complete_runs, ends, find_runs, problem_sets, written_formats
from ..study_folder import Study, load_study
from . import figures
from .doses import copies_series
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
    groups = {label: complete_runs(members, sets[0]) for label, members in groups.items()}
    for label, members in groups.items():
        yield (
            f"dynamics-{label}",
            figures.dynamics(members, sets[0], formats, k, null_of(study, members, formats)),
        )
        inputs = [run_inputs(study, run, sets[0]) for run in members]
        yield from _group_figures(label, inputs, sets[0])
        for name, figure in (*analysis_figures(inputs, sets[0]), *record_figures(study, inputs, sets[0][0])):
            yield f"{name}-{label}", figure
    if len(groups) > 1:
        yield from dose_figures(study, runs, sets[0], k)
        yield from side_by_side([run for members in groups.values() for run in members], sets[0], formats, k)


def side_by_side(
    runs: list[Run], chosen: tuple[str, str], formats: list[str], k: str
) -> Iterator[tuple[str, Figure]]:
    """What differs in one thing alone: the arms of one base, the mixtures of one arm, the sizes of one mixture."""
    parts = ("mixture", "size", "arm")
    for i, varied in enumerate(("mixtures", "sizes", "arms")):
        sheets: dict[str, dict[str, list[Run]]] = {}
        for run in runs:
            rest = "-".join(getattr(run, part) for part in parts if part != parts[i] and getattr(run, part))
            sheets.setdefault(rest, {}).setdefault(getattr(run, parts[i]) or "no RL", []).append(run)
        for rest, members in sheets.items():
            found = list(members.items())
            for start in range(0, len(found) if len(found) > 1 else 0, MOST_ARMS):
                name = f"{varied}-{rest}" + (f"-{start // MOST_ARMS + 1}" if len(found) > MOST_ARMS else "")
                yield name, figures.arms(dict(found[start : start + MOST_ARMS]), chosen, formats, k)


def _group_figures(
    label: str, inputs: list[RunInputs], chosen: tuple[str, str]
) -> Iterator[tuple[str, Figure]]:
    runs = [one.run for one in inputs]
    base, final = ([row for run in runs if (row := ends(run, chosen)[i])] for i in (0, 1))
    if len(base) == len(final) == len(runs):
        yield f"pass-curves-{label}", figures.pass_curves(average_rows(base), average_rows(final))
    tables = [one.problems for one in inputs if one.problems is not None]
    if len(tables) == len(runs):
        gains = over_seeds([paired_gains(table) for table in tables], ["problem_set", "quantity"])
        if len(gains):
            yield f"transfer-{label}", figures.transfer(gains)
    known = [one.records for one in inputs if one.records is not None]
    if len(known) < len(runs):
        return
    found = over_seeds(
        [support_rows(one.records, chosen[0], one.last) for one in inputs if one.records is not None],
        ["k", "kind"],
        clip=(0, 1),
    )
    if found["value"].drop_nulls().len():
        yield f"support-{label}", figures.support(found)
    steps = sorted(set.intersection(*[set(run.steps(chosen)) for run in runs]))
    keys = ["format", "feature", "word", "step"]
    styles = over_seeds([style_estimates(table, chosen[0], steps) for table in known], keys, clip=(0, 1))
    for name, feature in styles.select("format", "feature").unique(maintain_order=True).rows():
        yield f"style-{name}-{feature}-{label}", figures.style(styles, name, feature)


def dose_figures(
    study: Study, runs: list[Run], chosen: tuple[str, str], k: str
) -> Iterator[tuple[str, Figure]]:
    """Pass rates after RL against the copies of one source, for each size and arm that has them."""
    for source, series in copies_series(study.recipe.get("mixtures") or {}).items():
        for size, arm in dict.fromkeys((run.size, run.arm) for run in runs if run.arm):
            finals = {}
            for copies, mixture in series.items():
                members = [run for run in runs if run.group == (mixture, size, arm)]
                rows = [final for run in members if (final := ends(run, chosen)[1])]
                if rows and len(rows) == len(members):
                    finals[copies] = average_rows(rows)
            if len(finals) > 1:
                yield f"copies-{source}-{size}-{arm}", figures.dose(finals, f"copies of {source}", k)


def null_of(
    study: Study, runs: list[Run], formats: list[str]
) -> tuple[list[int], dict[str, list[float]]] | None:
    """Steps and mean shares over seeds of the bandit, None where some seed has none or other steps."""
    paths = [null_path(study, run, formats) for run in runs]
    steps = [[row["step"] for row in thin(run.dense)] for run in runs]
    known = [path for path in paths if path is not None]
    if len(known) < len(runs) or any(other != steps[0] for other in steps):
        return None
    return steps[0], {
        name: [sum(shares) / len(known) for shares in zip(*(path[name] for path in known), strict=True)]
        for name in formats
    }


def analysis_figures(inputs: list[RunInputs], chosen: tuple[str, str]) -> Iterator[tuple[str, Figure]]:
    """Dots with intervals for the analyses that are no curves: selection, baselines, coverage, errors."""
    if any(
        one.counted is None or one.problems is None or one.records is None or not one.last for one in inputs
    ):
        return
    name = chosen[0]
    split = [
        selection_or_skill(one.counted, one.last, one.formats, one.forced)
        for one in inputs
        if one.counted is not None
    ]
    if all(len(table) for table in split):
        rows = over_seeds(split, ["part"]).to_dicts()
        yield "selection", figures.estimates(rows, [row["part"] for row in rows], "accuracy gain (points)")
    methods = [method_rows(one, name) for one in inputs]
    if all(len(table) for table in methods):
        rows = over_seeds(methods, ["method"], clip=(0, 1)).to_dicts()
        yield (
            "baselines",
            figures.estimates(rows, [row["method"] for row in rows], "accuracy (%)", shares=True),
        )
    covered = [coverage_precision(one.problems, name) for one in inputs if one.problems is not None]
    if all(len(table) for table in covered):
        rows = over_seeds(covered, ["quantity", "side"]).filter(pl.col("side") == "gain").to_dicts()
        yield (
            "coverage",
            figures.estimates(rows, [row["quantity"] for row in rows], "part of the accuracy gain (points)"),
        )
    flips = [flip_errors(one.records, name, one.last) for one in inputs if one.records is not None]
    if all(len(table) for table in flips) and not set(pl.concat(flips)["first_error"]) <= {"not checked"}:
        rows = over_seeds(flips, ["flip", "first_error"], clip=(0, 1)).to_dicts()
        yield (
            "errors",
            figures.estimates(
                rows,
                [f"{row['flip']}: {row['first_error']}" for row in rows],
                "share of the flip (%)",
                shares=True,
            ),
        )


def shared_k(runs: list[Run], chosen: tuple[str, str]) -> str:
    """Largest k that the base and the last checkpoint of every run know."""
    rows = [row for run in runs for row in ends(run, chosen) if row]
    known = [{int(k) for k, value in row["pass@k"].items() if value is not None} for row in rows]
    return str(max(set.intersection(*known), default=1)) if known else "1"


def record_figures(study: Study, inputs: list[RunInputs], chosen: str) -> Iterator[tuple[str, Figure]]:
    """Figures of the analyses that read every completion or a probe: forecasts, chance floor, scorers, likelihood."""
    if forecasts := forecast_tables(study, inputs):
        names = [name for name in shared_forecasts(forecasts) if name != "what happened"]
        rows = [over_runs(forecasts, name, "brier") for name in names]
        yield "forecasts", figures.estimates(rows, names, "Brier score (lower is better)", scale=1)
    found = [(one.records, one.last) for one in inputs if one.records is not None and one.last]
    if len(found) == len(inputs):
        last = pl.col("step") > 0
        variants = [
            pass_variants(records, chosen, (0, step)).with_columns(last=last) for records, step in found
        ]
        yield "floors", figures.floors(over_seeds(variants, ["last", "kind", "k"], clip=(0, 1)))
        scored = [two_scorers(records, chosen, (0, step)).with_columns(last=last) for records, step in found]
        if all(len(table) for table in scored):
            rows = (
                over_seeds(scored, ["quantity", "scorer", "last"], clip=(0, 1))
                .filter(~pl.col("quantity").str.contains(" of "))
                .to_dicts()
            )
            labels = [
                f"{row['quantity']}, {row['scorer']}, {'after' if row['last'] else 'before'}" for row in rows
            ]
            yield "scorers", figures.estimates(rows, labels, "right (%)", shares=True)
    likely = [
        likelihood_changes(one.probed["likelihood"], chosen) for one in inputs if "likelihood" in one.probed
    ]
    if len(likely) == len(inputs) and all(len(table) for table in likely):
        rows = (
            over_seeds(likely, ["writer", "quantity", "unit"])
            .filter(pl.col("quantity").str.starts_with("per token"))
            .to_dicts()
        )
        yield (
            "likelihood",
            figures.estimates(
                rows,
                [f"by {row['writer']}, {row['quantity'][10:]}" for row in rows],
                "nats per token",
                scale=1,
            ),
        )
