"""Which format led when, and when did one take over?"""

from collections.abc import Sequence
from statistics import median

import numpy as np
import polars as pl

from ..averages import at, seed_interval
from ..number_text import bounds, percent
from ..page_table import NOT_ESTIMABLE, Cell, CompletionLink, PageTable, link_to
from ..run_inputs import RunInputs
from ..runs import Run, ends, set_of
from ..study_folder import JsonObject
from .estimates import Schema, of_every_run

TAKEN_OVER = 0.9
"""Share of the rollouts above which a format has taken over."""
FIRST_STEPS = {
    "leads_at": "Leads from step",
    "overtakes_at": "Overtakes at step",
    "takes_over_at": "Over 90% at step",
}


def format_dynamics(dense: Sequence[JsonObject], formats: Sequence[str]) -> pl.DataFrame:
    """Training rollouts, one row per step and format.

    Columns: step, format, share, accuracy, entropy (of the step's format shares, nats).
    """
    rows = []
    for row in dense:
        shares = {name: row.get(f"format/{name}/share") for name in formats}
        known = np.array([share for share in shares.values() if share])
        entropy = float(-(known * np.log(known)).sum()) if known.size else None
        for name, share in shares.items():
            accuracy = row.get(f"format/{name}/accuracy")
            rows.append(
                {
                    "step": row["step"],
                    "format": name,
                    "share": share,
                    "accuracy": accuracy,
                    "entropy": entropy,
                }
            )
    schema: Schema = {
        "step": pl.Int64,
        "format": pl.String,
        "share": pl.Float64,
        "accuracy": pl.Float64,
        "entropy": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema)


def first_steps(dynamics: pl.DataFrame) -> pl.DataFrame:
    """Per format the first step at which it leads, overtakes the first leader, and passes `TAKEN_OVER`.

    Columns: format, first_share, last_share, peak_share, peak_step, leads_at, overtakes_at,
    takes_over_at; null for what never happened. Formats that were never written are left out.
    """
    known = dynamics.lazy().filter(pl.col("share").is_not_null()).sort("step", maintain_order=True)
    table = known.with_columns(top=pl.col("share").max().over("step")).collect()
    leads = pl.col("share") == pl.col("top")
    first = table.select(pl.col("format").filter(leads).first()).item() or ""
    rival = pl.col("share").filter(pl.col("format") == first).first().over("step")
    step = pl.col("step")
    summary = (
        table.lazy()
        .with_columns(rival=rival)
        .group_by("format", maintain_order=True)
        .agg(
            first_share=pl.col("share").first(),
            last_share=pl.col("share").last(),
            peak_share=pl.col("share").max(),
            peak_step=step.sort_by("share", "step", descending=[True, False]).first(),
            leads_at=step.filter(leads).min(),
            overtakes_at=step.filter((pl.col("share") > pl.col("rival")) & (pl.col("format") != first)).min(),
            takes_over_at=step.filter(pl.col("share") > TAKEN_OVER).min(),
        )
    )
    return summary.filter(pl.col("peak_share") > 0).collect()


def dynamics_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """When each format led and took over: one row per format, over seeds."""
    firsts = of_every_run(inputs, lambda one: first_steps(format_dynamics(one.run.dense, one.formats)))
    if not firsts:
        return None
    written = [name for name in inputs[0].formats if any(name in table["format"] for table in firsts)]
    rows = [
        _format_row(inputs, problem_set, name, [_row_of(table, name) for table in firsts]) for name in written
    ]
    columns = ["Format", "Share of base", "Share after RL", "Peak at step", *FIRST_STEPS.values()]
    note = (
        "Shares: checkpoints on held-out problems. Steps: training rollouts. They are the first step at "
        "which a format leads, at which it passes the first leader, and at which it has over 90%. "
        + ("Over seeds: median and range." if len(inputs) > 1 else "A step of one run has no interval.")
    )
    return PageTable("format_dynamics", "Which format led when?", columns, rows, note)


def _row_of(table: pl.DataFrame, name: str) -> JsonObject | None:
    return table.row(by_predicate=pl.col("format") == name, named=True) if name in table["format"] else None


def _format_row(
    inputs: Sequence[RunInputs], problem_set: str, name: str, found: Sequence[JsonObject | None]
) -> list[Cell]:
    """Cells of one format; `found` has its `first_steps` per seed."""
    peak = max((row for row in found if row), key=lambda row: row["peak_share"])
    base, last, highest = (link_to(inputs[0], step, name) for step in (0, None, peak["peak_step"]))
    steps = {key: [row[key] if row else None for row in found] for key in ("peak_step", *FIRST_STEPS)}
    return [
        Cell(name).to(last),
        _checkpoint_share(inputs, problem_set, name, base, last=False),
        _checkpoint_share(inputs, problem_set, name, last, last=True),
        _step_cell(steps.pop("peak_step"), len(inputs)).to(highest),
        *(_step_cell(known, len(inputs)) for known in steps.values()),
    ]


def _checkpoint_share(
    inputs: Sequence[RunInputs], problem_set: str, name: str, link: CompletionLink, last: bool
) -> Cell:
    """Share of a format at the base or the last checkpoint, over seeds."""
    found = [ends(one.run, _set_named(one.run, problem_set))[int(last)] for one in inputs]
    values = [at(row, ("formats", name, "share")) for row in found]
    if any(value is None for value in values):
        return NOT_ESTIMABLE
    within = [at(row, ("intervals", "formats", name, "share")) for row in found]
    interval = within[0] if len(values) == 1 else seed_interval(values, within)
    return Cell(percent(sum(values) / len(values)), bounds(interval)).to(link)


def _set_named(run: Run, problem_set: str) -> tuple[str, str]:
    """(problem set, split) of the run's first row on a problem set."""
    found = (set_of(row) for row in run.rows)
    return next((pair for pair in found if pair[0] == problem_set), (problem_set, ""))


def _step_cell(steps: Sequence[int | None], seeds: int) -> Cell:
    """`11`, `11 (8 to 20)`, `11 (8 to 20) in 2 of 3 seeds`, or `never`."""
    known = [step for step in steps if step is not None]
    if not known:
        return Cell("never", known=False)
    if seeds == 1:
        return Cell(str(known[0]))
    text = f"{median(known):g} ({min(known)} to {max(known)})"
    return Cell(text if len(known) == seeds else f"{text} in {len(known)} of {seeds} seeds")
