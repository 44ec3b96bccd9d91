"""Would the base have written it? Likelihoods, and where in the text the policy moved."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
)
from ..page_table import NOT_ESTIMABLE, Cell, PageTable, number, share, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds

MOVED = 1.0
"""Nats by which a token's two log-probabilities must differ for its position to count as moved."""
EARLY = 8
"""Tokens at the start of a completion that are looked at apart: there the format is chosen."""


def likelihood_changes(table: pl.LazyFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """By whom a completion was written, and how likely base and RL model find it.

    `table` is a probe's `likelihood.parquet` with the base as reference. Columns: writer (`base`,
    `after RL`), quantity, unit (nats or share), value, low, high (bootstrap by problem, means over
    problems). Quantities: log-probability of a completion under the base and after RL; per token; the
    share of tokens that moved by more than `MOVED` nats, among the first `EARLY` and later.
    """
    schema: dict[str, Any] = {"writer": pl.String, "quantity": pl.String, "unit": pl.String} | ESTIMATE
    found = table.filter((pl.col("problem_set") == problem_set) & pl.col("logprob_reference").is_not_null())
    tokens = pl.col("num_tokens")
    apart = (
        found.with_row_index("row")
        .select("row", "problem_id", "writer", "logprobs", "logprobs_reference")
        .explode("logprobs", "logprobs_reference")
        .with_columns(
            place=pl.int_range(pl.len()).over("row"),
            moved=((pl.col("logprobs") - pl.col("logprobs_reference")).abs() > MOVED).cast(pl.Float64),
        )
    )
    per_problem = found.group_by("writer", "problem_id").agg(
        (pl.col("logprob_reference").mean()).alias("log-probability under the base"),
        (pl.col("logprob").mean()).alias("log-probability after RL"),
        ((pl.col("logprob_reference") / tokens).mean()).alias("per token under the base"),
        ((pl.col("logprob") / tokens).mean()).alias("per token after RL"),
    )
    early = pl.col("place") < EARLY
    moved = apart.group_by("writer", "problem_id").agg(
        pl.col("moved").filter(early).mean().alias(f"first {EARLY} tokens that moved"),
        pl.col("moved").filter(~early).mean().alias("later tokens that moved"),
    )
    joined = per_problem.join(moved, on=["writer", "problem_id"]).sort("writer", "problem_id").collect()
    rows = []
    for writer, label in (("reference", "base"), ("checkpoint", "after RL")):
        part = joined.filter(pl.col("writer") == writer)
        for name in joined.columns[2:] if len(part) else ():
            values = part[name].drop_nulls().to_numpy()
            unit = "share" if name.endswith("moved") else "nats"
            weights = problem_weights(max(len(values), 1), seed)
            bounds = (
                mean_interval(weights, values)
                if unit == "share"
                else paired_interval(weights, np.zeros(len(values)), values)
            )
            mean = float(values.mean()) if len(values) else np.nan
            rows.append({"writer": label, "quantity": name, "unit": unit} | estimate(mean, bounds))
    return pl.DataFrame(rows, schema=schema)


def likelihood_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """How likely base and RL model find each other's completions."""
    tables = [
        likelihood_changes(one.probed["likelihood"], chosen) for one in inputs if "likelihood" in one.probed
    ]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    keys = ["writer", "quantity", "unit"]
    joined = over_seeds(tables, keys)
    cells = {(row["quantity"], row["writer"]): _cell(row) for row in joined.iter_rows(named=True)}
    goals = {"base": target(inputs[0], step=0), "after RL": target(inputs[0])}
    rows = [
        [
            Cell(name),
            *(cells.get((name, writer), NOT_ESTIMABLE).to(goal) for writer, goal in goals.items()),
        ]
        for name in joined["quantity"].unique(maintain_order=True)
    ]
    columns = [
        "Log-probability (nats) or share of tokens",
        "Text written by the base",
        "Text written after RL",
    ]
    note = "Means over problems. A token moved if its two log-probabilities differ by more than one nat. "
    return PageTable("Would the base have written it?", columns, rows, note)


def _cell(row: Mapping[str, Any]) -> Cell:
    return share(row) if row["unit"] == "share" else number(row)
