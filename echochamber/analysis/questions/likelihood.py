"""How likely are completions under the base and after RL, and where in the text do the two differ?"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    paired_interval,
    problem_weights,
)
from ..page_table import Cell, CompletionLink, FrameRow, PageTable, both_ends, number, share
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, UNKNOWN, Schema, estimate, of_every_run, over_seeds

MOVED = 1.0
"""Nats by which a token's two log-probabilities must differ for its position to count as moved."""
EARLY = 8
"""Tokens at the start of a completion that are looked at apart: there the format is chosen."""

QUANTITIES = {
    "logprob_base": "log-probability under the base",
    "logprob_rl": "log-probability after RL",
    "token_logprob_base": "per token under the base",
    "token_logprob_rl": "per token after RL",
    "moved_early": f"first {EARLY} tokens that moved",
    "moved_late": "later tokens that moved",
}
"""Quantities of `likelihood_changes`, in nats or shares of tokens, and how they are called."""
SHARES = ("moved_early", "moved_late")
"""Quantities that are shares of tokens that moved by more than `MOVED` nats."""


def likelihood_changes(table: pl.LazyFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """How likely the base and the RL model find each other's completions.

    `table` is a probe's `likelihood.parquet` with the base as reference. Columns: writer (`base`, `rl`),
    quantity (a key of `QUANTITIES`), value, low, high (bootstrap by problem, means over problems).
    """
    schema: Schema = {"writer": pl.String, "quantity": pl.String, **ESTIMATE}
    found = table.filter((pl.col("problem_set") == problem_set) & pl.col("logprob_reference").is_not_null())
    tokens = pl.col("num_tokens")
    apart = (
        found.with_row_index("row")
        .select("row", "problem_id", "writer", "logprobs", "logprobs_reference")
        .explode("logprobs", "logprobs_reference")
        .with_columns(
            index=pl.int_range(pl.len()).over("row"),
            moved=((pl.col("logprobs") - pl.col("logprobs_reference")).abs() > MOVED).cast(pl.Float64),
        )
    )
    per_problem = found.group_by("writer", "problem_id").agg(
        (pl.col("logprob_reference").mean()).alias("logprob_base"),
        (pl.col("logprob").mean()).alias("logprob_rl"),
        ((pl.col("logprob_reference") / tokens).mean()).alias("token_logprob_base"),
        ((pl.col("logprob") / tokens).mean()).alias("token_logprob_rl"),
    )
    early = pl.col("index") < EARLY
    moved = apart.group_by("writer", "problem_id").agg(
        pl.col("moved").filter(early).mean().alias("moved_early"),
        pl.col("moved").filter(~early).mean().alias("moved_late"),
    )
    joined = per_problem.join(moved, on=["writer", "problem_id"]).sort("writer", "problem_id").collect()
    rows = []
    for writer, label in (("reference", "base"), ("checkpoint", "rl")):
        part = joined.filter(pl.col("writer") == writer)
        for name in joined.columns[2:] if len(part) else ():
            values = part[name].drop_nulls().to_numpy()
            weights = problem_weights(max(len(values), 1), seed)
            bounds = (
                mean_interval(weights, values)
                if name in SHARES
                else paired_interval(weights, np.zeros(len(values)), values)
            )
            mean = float(values.mean()) if len(values) else np.nan
            rows.append({"writer": label, "quantity": name} | estimate(mean, bounds))
    return pl.DataFrame(rows, schema=schema)


def likelihood_over_seeds(inputs: Sequence[RunInputs], problem_set: str) -> pl.DataFrame | None:
    """`likelihood_changes` of a group."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        found = one.probed.get("likelihood")
        return None if found is None else likelihood_changes(found, problem_set)

    tables = of_every_run(inputs, make)
    return over_seeds(tables, ["writer", "quantity"]) if tables else None


def likelihood_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """How likely base and RL model find each other's completions."""
    joined = likelihood_over_seeds(inputs, problem_set)
    if joined is None:
        return None
    found = {(row["quantity"], row["writer"]): row for row in joined.iter_rows(named=True)}
    links = both_ends(inputs[0])
    rows = [
        [
            Cell(QUANTITIES[name]),
            *(
                _likelihood_cell(name, found.get((name, writer), UNKNOWN), links[writer == "rl"])
                for writer in ("base", "rl")
            ),
        ]
        for name in joined["quantity"].unique(maintain_order=True)
    ]
    columns = [
        "Log-probability (nats) or share of tokens",
        "Text written by the base",
        "Text written after RL",
    ]
    note = "Means over problems. A token moved if its two log-probabilities differ by more than one nat."
    question = "How likely are the completions under the base and after RL?"
    return PageTable("likelihood", question, columns, rows, note)


def _likelihood_cell(name: str, row: FrameRow, link: CompletionLink) -> Cell:
    return share(row).to(link) if name in SHARES else number(row, 2).to(link)
