"""Analyses that a probe feeds, as tables of text: baselines without training, likelihoods."""

from collections.abc import Sequence

import polars as pl

from .page_table import Cell, Inputs, PageTable, share, target
from .study_folder import Study
from .tables.baselines import forced_accuracies, no_training, temperature_accuracies
from .tables.common import over_seeds
from .tables.likelihood import likelihood_changes


def baselines_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """What needs no RL on the base, beside the RL model's own tries."""
    if any(one.problems is None or not one.last for one in inputs):
        return None
    tables = [method_rows(one, chosen) for one in inputs]
    if not all(len(table) for table in tables):
        return None
    rows = []
    for row in over_seeds(tables, ["method"], clip=(0, 1)).iter_rows(named=True):
        goal = target(inputs[0], step=0 if row["method"].startswith("base") else inputs[0].last)
        rows.append([row["method"], Cell(share(row), goal)])
    note = ""
    if not any(one.probed for one in inputs):
        note = "Forced formats and lower temperatures are measured by the probe stage, which this study does not have (probe: {} in the recipe adds it)."
    elif any("forced" in one.probed for one in inputs):
        note = "The best format is chosen on one half of the problems and measured on the other. Completions of probes are in their own artifact; a click leads to the base’s free ones."
    return PageTable(
        "How much of it needs no training?", ["Method", "Accuracy with 95% interval"], rows, note
    )


def method_rows(one: Inputs, chosen: str) -> pl.DataFrame:
    """All baselines of one run, those of the base first: method, step, value, low, high."""
    assert one.problems is not None
    tables = [no_training(one.problems, chosen)]
    if "forced" in one.probed:
        tables.append(forced_accuracies(one.probed["forced"], chosen))
    if "sweep" in one.probed:
        tables.append(temperature_accuracies(one.probed["sweep"], chosen))
    order = pl.concat(tables)
    base = order["method"].str.starts_with("base")
    return pl.concat([order.filter(base), order.filter(~base)])


def likelihood_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """How likely base and RL model find each other's completions."""
    tables = [
        likelihood_changes(one.probed["likelihood"], chosen) for one in inputs if "likelihood" in one.probed
    ]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    keys = ["writer", "quantity", "unit"]
    joined = over_seeds(tables, keys)
    cells = {(row["quantity"], row["writer"]): _text(row) for row in joined.iter_rows(named=True)}
    goals = {"base": target(inputs[0], step=0), "after RL": target(inputs[0])}
    rows = [
        [name, *(Cell(cells.get((name, writer), "not estimable"), goal) for writer, goal in goals.items())]
        for name in joined["quantity"].unique(maintain_order=True)
    ]
    columns = [
        "Log-probability (nats) or share of tokens",
        "Text written by the base",
        "Text written after RL",
    ]
    note = "Means over problems. A token moved if its two log-probabilities differ by more than one nat. "
    return PageTable("Would the base have written it?", columns, rows, note)


def _text(row: dict[str, object]) -> str:
    if row["unit"] == "share":
        return share(row)
    if row["value"] is None:
        return "not estimable"
    around = f" [{row['low']:.2f} to {row['high']:.2f}]" if row["low"] is not None else " (no interval)"
    return f"{row['value']:.2f}{around}"
