"""Which format led when, and when did one take over?"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from ..averages import at, seed_interval
from ..number_text import bounds, percent
from ..page_table import NOT_ESTIMABLE, Cell, PageTable, target
from ..run_inputs import RunInputs
from ..runs import ends
from ..study_folder import Study

TAKEN_OVER = 0.9
STEPS = {"leads_at": "Leads from step", "overtakes_at": "Overtakes at", "takes_over_at": "Over 90% at"}


def format_dynamics(dense: Sequence[Mapping[str, Any]], formats: Sequence[str]) -> pl.DataFrame:
    """Long table of training rollouts: step, format, share, accuracy, and the step's entropy of formats (nats)."""
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
    schema: dict[str, Any] = {
        "step": pl.Int64,
        "format": pl.String,
        "share": pl.Float64,
        "accuracy": pl.Float64,
        "entropy": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema)


def first_steps(dynamics: pl.DataFrame) -> pl.DataFrame:
    """Per format: first step at which it leads, at which it overtakes the first leader, at which it passes 90%.

    Columns: format, first_share, last_share, peak_share, peak_step, leads_at, overtakes_at,
    takes_over_at; null for what never happened. Formats that were never written are left out.
    """
    table = dynamics.filter(pl.col("share").is_not_null()).sort("step")
    best = table.group_by("step").agg(top=pl.col("share").max())
    table = table.join(best, on="step")
    leaders = table.filter(pl.col("share") == pl.col("top")).sort("step")
    first = leaders["format"][0] if len(leaders) else ""
    rival = table.filter(pl.col("format") == first).select("step", rival="share")
    joined = table.join(rival, on="step", how="left").sort("step")
    step = pl.col("step")
    summary = joined.group_by("format", maintain_order=True).agg(
        first_share=pl.col("share").first(),
        last_share=pl.col("share").last(),
        peak_share=pl.col("share").max(),
        peak_step=step.sort_by("share", "step", descending=[True, False]).first(),
        leads_at=step.filter(pl.col("share") == pl.col("top")).min(),
        overtakes_at=step.filter((pl.col("share") > pl.col("rival")) & (pl.col("format") != first)).min(),
        takes_over_at=step.filter(pl.col("share") > TAKEN_OVER).min(),
    )
    return summary.filter(pl.col("peak_share") > 0)


def dynamics_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """When each format led and took over: one row per format, over seeds."""
    firsts = [first_steps(format_dynamics(one.run.dense, one.formats)) for one in inputs]
    if not all(len(table) for table in firsts):
        return None
    rows: list[list[Cell]] = []
    for name in [name for name in inputs[0].formats if any(name in table["format"] for table in firsts)]:
        found = [
            table.row(by_predicate=pl.col("format") == name, named=True) if name in table["format"] else None
            for table in firsts
        ]
        peak = max((row for row in found if row), key=lambda row: row["peak_share"])
        goals = [target(inputs[0], step=step, format=name) for step in (0, inputs[0].last, peak["peak_step"])]
        cells = [_checkpoint_share(inputs, chosen, name, last) for last in (False, True)]
        steps = [_step_text([row[key] if row else None for row in found], len(inputs)) for key in STEPS]
        peaks = _step_text([row["peak_step"] if row else None for row in found], len(inputs))
        rows.append(
            [
                Cell(name).to(goals[1]),
                *(cell.to(goal) for cell, goal in zip([*cells, peaks], goals, strict=True)),
                *steps,
            ]
        )
    columns = ["Format", "Share of base", "Share after RL", "Peak at step", *STEPS.values()]
    note = (
        "Shares: checkpoints on held-out problems. Steps: training rollouts of one step; the first step at which a format leads, at which it passes the first leader, "
        "and at which it has over 90%. "
        + ("Over seeds: median and range. " if len(inputs) > 1 else "A step of one run has no interval. ")
    )
    return PageTable("Who led when?", columns, rows, note)


def _checkpoint_share(inputs: Sequence[RunInputs], chosen: str, name: str, last: bool) -> Cell:
    """Share of a format at the base or the last checkpoint, over seeds."""
    sets = [
        next(
            (
                (s, split)
                for s, split in ((r["problem_set"], r["split"]) for r in one.run.rows)
                if s == chosen
            ),
            (chosen, ""),
        )
        for one in inputs
    ]
    found = [ends(one.run, where)[int(last)] for one, where in zip(inputs, sets, strict=True)]
    values = [at(row, ("formats", name, "share")) for row in found]
    if any(value is None for value in values):
        return NOT_ESTIMABLE
    within = [at(row, ("intervals", "formats", name, "share")) for row in found]
    interval = within[0] if len(values) == 1 else seed_interval(values, within)
    return Cell(percent(sum(values) / len(values)), bounds(interval))


def _step_text(steps: Sequence[int | None], seeds: int) -> Cell:
    """`11`, `11 (8 to 20)`, `11 (8 to 20) in 2 of 3 seeds`, or `never`."""
    known = [step for step in steps if step is not None]
    if not known:
        return Cell("never", known=False)
    if seeds == 1:
        return Cell(str(known[0]))
    text = f"{median(known):g} ({min(known)} to {max(known)})"
    return Cell(text if len(known) == seeds else f"{text} in {len(known)} of {seeds} seeds")
