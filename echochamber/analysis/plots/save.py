"""All figures that a study has data for, as PNG and SVG."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from ...core.files import make_folder
from ..averages import average_rows
from ..null_model import null_path, thin
from ..questions.chance_floor import variants_over_seeds
from ..questions.coverage import coverage_parts, gain_parts
from ..questions.estimates import over_seeds
from ..questions.first_errors import FLIP_LABELS, error_label, errors_of_runs
from ..questions.forecasts import OBSERVED, forecast_label, forecasts_of_runs, score_over_seeds
from ..questions.format_style import style_estimates
from ..questions.likelihood import QUANTITIES, likelihood_over_seeds
from ..questions.paper_scorer import KEYS as SCORER_KEYS
from ..questions.paper_scorer import SCORERS, scores_by_scorer
from ..questions.score_changes import gains_over_seeds
from ..questions.selection_or_skill import selection_parts
from ..questions.support import support_over_seeds
from ..questions.training_free import KEYS as METHOD_KEYS
from ..questions.training_free import method_label, methods_over_seeds
from ..run_inputs import RunGroup, RunInputs, load_groups
from ..runs import Run, complete_runs, ends, find_runs, problem_sets, shared_k, written_formats
from ..study_folder import StoredStudy, load_study
from . import figures
from .doses import copies_series
from .look import SETTINGS

DOTS_PER_INCH = 300
MOST_ARMS = 6
"""Arms that fit beside each other on a page."""
Named = tuple[str, Figure]
"""File name without ending, and the figure."""


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


def study_figures(study: StoredStudy) -> Iterator[Named]:
    """(file name without ending, figure), group by group."""
    runs = find_runs(study)
    sets = problem_sets(runs)
    if not sets:
        return
    formats, k = written_formats(runs), shared_k([row for run in runs for row in ends(run, sets[0]) if row])
    own = list(study.own_formats)
    groups = load_groups(study, runs, sets[0])
    complete: list[Run] = []
    for group in groups:
        members = complete_runs([run for run in runs if run.group == group.parts], sets[0])
        complete += members
        label = "-".join(part for part in group.parts if part)
        null = null_of(study, members, formats)
        yield f"dynamics-{label}", figures.dynamics(members, sets[0], formats, k, null, own)
        for name, figure in _group_figures(group, members, sets[0]):
            yield f"{name}-{label}", figure
    if len(groups) > 1:
        yield from dose_figures(study, runs, sets[0], k)
        yield from side_by_side(complete, sets[0], formats, k, own)


def side_by_side(
    runs: list[Run], chosen: tuple[str, str], formats: list[str], k: str, own: Sequence[str]
) -> Iterator[Named]:
    """What differs in one thing alone.

    The arms of one base, the mixtures of one arm, the sizes of one mixture.
    """
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
                yield name, figures.arms(dict(found[start : start + MOST_ARMS]), chosen, formats, k, own)


def _group_figures(group: RunGroup, runs: Sequence[Run], chosen: tuple[str, str]) -> Iterator[Named]:
    """Figures of one group; those of the analyses only where its files could be read."""
    base, final = ([row for run in runs if (row := ends(run, chosen)[i])] for i in (0, 1))
    if len(base) == len(final) == len(runs):
        yield "pass-curves", figures.pass_curves(average_rows(base), average_rows(final))
    if group.inputs:
        yield from curve_figures(group.inputs, chosen)
        yield from estimate_figures(group.inputs, chosen[0])
        yield from record_figures(group.inputs, chosen[0])


def curve_figures(inputs: Sequence[RunInputs], chosen: tuple[str, str]) -> Iterator[Named]:
    """Transfer between problem sets, support, and style over steps."""
    gains = gains_over_seeds(inputs)
    if gains is not None:
        yield "transfer", figures.transfer(gains)
    supported = support_over_seeds(inputs, chosen[0])
    if supported is not None and supported["value"].drop_nulls().len():
        yield "support", figures.support(supported)
    tables = [one.records for one in inputs if one.records is not None]
    if len(tables) < len(inputs):
        return
    steps = sorted(set.intersection(*[set(one.run.steps(chosen)) for one in inputs]))
    keys = ["format", "feature", "word", "step"]
    styles = over_seeds([style_estimates(table, chosen[0], steps) for table in tables], keys, clip=(0, 1))
    for name, feature in styles.select("format", "feature").unique(maintain_order=True).rows():
        yield f"style-{name}-{feature}", figures.style(styles, name, feature)


def dose_figures(study: StoredStudy, runs: list[Run], chosen: tuple[str, str], k: str) -> Iterator[Named]:
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
    study: StoredStudy, runs: list[Run], formats: list[str]
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


def estimate_figures(inputs: Sequence[RunInputs], problem_set: str) -> Iterator[Named]:
    """Dots with intervals: selection or skill, baselines without training, coverage, first errors."""
    split = selection_parts(inputs)
    if split:
        rows = over_seeds(split, ["part"]).to_dicts()
        labels = [row["part"] for row in rows]
        yield "selection", figures.estimates(rows, labels, "accuracy gain (percentage points)")
    methods = methods_over_seeds(inputs, problem_set)
    if methods is not None:
        rows = methods.to_dicts()
        labels = [method_label(*(row[name] for name in METHOD_KEYS)) for row in rows]
        yield "baselines", figures.estimates(rows, labels, "accuracy (%)", shares=True)
    covered = coverage_parts(inputs, problem_set)
    if covered:
        rows = gain_parts(covered).to_dicts()
        labels = [row["quantity"] for row in rows]
        yield "coverage", figures.estimates(rows, labels, "part of the accuracy gain (percentage points)")
    flips = errors_of_runs(inputs, problem_set)
    if flips and all(len(table) for table in flips):
        rows = over_seeds(flips, ["flip", "first_error"], clip=(0, 1)).to_dicts()
        labels = [f"{FLIP_LABELS[row['flip']]}: {error_label(row['first_error'])}" for row in rows]
        yield "errors", figures.estimates(rows, labels, "share of the flip (%)", shares=True)


def record_figures(inputs: Sequence[RunInputs], problem_set: str) -> Iterator[Named]:
    """Figures of the analyses that read every completion or a probe."""
    forecasts = {name: rows for name, rows in forecasts_of_runs(inputs).items() if name != OBSERVED}
    if forecasts:
        scores = [score_over_seeds(rows, "brier") for rows in forecasts.values()]
        labels = [forecast_label(name) for name in forecasts]
        yield "forecasts", figures.estimates(scores, labels, "Brier score (lower is better)", scale=1)
    variants = variants_over_seeds(inputs, problem_set)
    if variants is not None:
        yield "floors", figures.floors(variants)
    scored = scores_by_scorer(inputs, problem_set)
    if scored:
        joined = over_seeds(scored, [*SCORER_KEYS, "last"], clip=(0, 1))
        rows = joined.filter(pl.col("format") == "").sort("quantity", maintain_order=True).to_dicts()
        labels = [
            f"{row['quantity']}, {SCORERS[row['scorer']]}, {'after' if row['last'] else 'before'}"
            for row in rows
        ]
        yield "scorers", figures.estimates(rows, labels, "correct (%)", shares=True)
    likely = likelihood_over_seeds(inputs, problem_set)
    if likely is not None:
        rows = likely.filter(pl.col("quantity").is_in(["token_logprob_base", "token_logprob_rl"])).to_dicts()
        writers = {"base": "written by the base", "rl": "written after RL"}
        labels = [f"{writers[row['writer']]}, {QUANTITIES[row['quantity']]}" for row in rows]
        yield "likelihood", figures.estimates(rows, labels, "log-probability (nats per token)", scale=1)
