"""Analyses of formats as tables of text: dynamics, costs, style, errors of flips."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import polars as pl

from .headline import bounds, percent
from .numbers import at, seed_interval
from .page_table import Cell, Inputs, PageTable, share, target
from .runs import rl_config, rollout_size
from .study_folder import Study
from .summary import ends
from .tables.common import over_seeds
from .tables.dynamics import cost_estimates, first_steps, format_dynamics, style_changes
from .tables.errors import flip_errors

STEPS = {"leads_at": "Leads from step", "overtakes_at": "Overtakes at", "takes_over_at": "Over 90% at"}


def dynamics_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """When each format led and took over: one row per format, over seeds."""
    firsts = [first_steps(format_dynamics(one.run.dense, one.formats)) for one in inputs]
    if not all(len(table) for table in firsts):
        return None
    rows: list[list[str]] = []
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
                Cell(name, goals[1]),
                *(Cell(text, goal) for text, goal in zip([*cells, peaks], goals, strict=True)),
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


def _checkpoint_share(inputs: Sequence[Inputs], chosen: str, name: str, last: bool) -> str:
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
        return "not estimable"
    within = [at(row, ("intervals", "formats", name, "share")) for row in found]
    interval = within[0] if len(values) == 1 else seed_interval(values, within)
    return f"{percent(sum(values) / len(values))} [{bounds(interval)}]"


def _step_text(steps: Sequence[int | None], seeds: int) -> str:
    """`11`, `11 (8 to 20)`, `11 (8 to 20) in 2 of 3 seeds`, or `never`."""
    known = [step for step in steps if step is not None]
    if not known:
        return "never"
    if seeds == 1:
        return str(known[0])
    text = f"{median(known):g} ({min(known)} to {max(known)})"
    return text if len(known) == seeds else f"{text} in {len(known)} of {seeds} seeds"


def costs_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """What a format costs: tokens, truncation, and how many samples of it a training step sees."""
    prompts, samples = rollout_size(rl_config(study, inputs[0].run.arm))
    found = [
        cost_estimates(one.records, chosen, (0, one.last), prompts * samples).with_columns(
            last=pl.col("step") > 0
        )
        for one in inputs
        if one.records is not None and one.last
    ]
    if len(found) < len(inputs) or not all(len(table) for table in found):
        return None
    keys = ["format", "quantity", "last"]
    joined = over_seeds(found, keys)
    cells = {tuple(row[key] for key in keys): _cost(row) for row in joined.iter_rows(named=True)}
    names = dict.fromkeys(key[0] for key in cells)
    quantities = {"tokens": "Tokens", "truncated": "Cut at the limit", "samples": "Samples a step"}
    rows: list[list[str]] = []
    for name in [name for name in inputs[0].formats if name in names]:
        goals = [target(inputs[0], step=0, format=name), target(inputs[0], format=name)]
        texts = [
            (cells.get((name, quantity, last), "not written"), goals[last])
            for quantity in quantities
            for last in (False, True)
        ]
        rows.append([name, *(Cell(text, goal) for text, goal in texts)])
    columns = ["Format", *(f"{label}, {end}" for label in quantities.values() for end in ("base", "after"))]
    note = (
        f"Samples a step: share of the format times {prompts} x {samples} completions of one training step. "
    )
    return PageTable("What does each format cost?", columns, rows, note)


def _cost(row: dict[str, Any]) -> str:
    if row["quantity"] == "truncated":
        clipped = (
            row | {"low": max(row["low"], 0.0), "high": min(row["high"], 1.0)}
            if row["low"] is not None
            else row
        )
        return share(clipped)
    if row["value"] is None:
        return "not estimable"
    around = (
        f" [{max(row['low'], 0):.1f} to {row['high']:.1f}]" if row["low"] is not None else " (no interval)"
    )
    return f"{row['value']:.1f}{around}"


def style_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Habits inside a format that moved clearly."""
    if any(one.records is None or not one.last for one in inputs):
        return None
    tables = [
        style_changes(one.records, chosen, one.last).with_columns(last=pl.col("step") > 0)
        for one in inputs
        if one.records is not None
    ]
    table = over_seeds(tables, ["format", "feature", "word", "last"], clip=(0, 1))
    rows: list[list[str]] = []
    pairs = 0
    for (form, feature, word), pair in table.group_by("format", "feature", "word", maintain_order=True):
        if len(pair) < 2 or pair["low"].null_count():
            continue
        pairs += 1
        before, after = (pair.filter(pl.col("last") == last).row(0, named=True) for last in (False, True))
        if before["high"] < after["low"] or after["high"] < before["low"]:
            habit = f"{str(feature).replace('_', ' ')}: {str(word).replace('_', ' ')}"
            goals = (target(inputs[0], step=0, format=form), target(inputs[0], format=form))
            rows.append([str(form), habit, Cell(share(before), goals[0]), Cell(share(after), goals[1])])
    note = f"Habits whose two intervals lie apart, in formats written at both ends; {pairs} were compared. "
    return (
        PageTable("What changed inside a format?", ["Format", "Habit", "Before", "After"], rows, note)
        if rows
        else None
    )


def errors_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Kinds of first error among flips of the greedy answer."""
    if any(one.records is None or not one.last for one in inputs):
        return None
    tables = [flip_errors(one.records, chosen, one.last) for one in inputs if one.records is not None]
    if set(pl.concat(tables)["first_error"]) <= {"not checked"}:
        return None
    counted = (
        pl.concat(tables).group_by("flip", "first_error", maintain_order=True).agg(pl.col("count").sum())
    )
    joined = over_seeds(
        [_every_kind(table, counted) for table in tables], ["flip", "first_error"], clip=(0, 1)
    )
    merged = joined.join(counted, on=["flip", "first_error"], how="left", maintain_order="left")
    order = merged.with_columns(first=pl.col("flip") == "right to wrong").sort(
        "first", "count", descending=[False, True], maintain_order=True
    )
    rows: list[list[str]] = []
    for row in order.iter_rows(named=True):
        goal = target(inputs[0], change="gained" if row["flip"] == "wrong to right" else "lost")
        rows.append(
            [
                row["flip"],
                row["first_error"].replace("_", " "),
                Cell(str(row["count"]), goal),
                Cell(share(row), goal),
            ]
        )
    columns = ["Flip", "First error of the wrong side", "Problems", "Share of the flip"]
    note = "Problems: a count over all seeds. Share: of the flips in that direction. "
    return PageTable("What went wrong first, where the greedy answer flipped?", columns, rows, note)


def _every_kind(table: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """A seed's table with share 0 for kinds that only other seeds have; without estimate where it has no such flip at all."""
    flips = set(table["flip"])
    grid = counted.select("flip", "first_error").join(
        table, on=["flip", "first_error"], how="left", maintain_order="left"
    )
    value = pl.when(pl.col("flip").is_in(list(flips))).then(pl.col("value").fill_null(0.0))
    return grid.with_columns(value=value)
