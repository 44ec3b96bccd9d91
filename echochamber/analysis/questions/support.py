"""Which problems were gained and lost?"""

from collections.abc import Sequence

import polars as pl

from ...stats.bootstrap import (
    mean_interval,
    problem_weights,
)
from ...stats.pass_at_k import pass_at_k, powers_up_to
from ..page_table import Cell, PageTable, link_to, share
from ..run_inputs import RunInputs
from .estimates import ESTIMATE, UNKNOWN, Schema, estimate, of_every_run, over_seeds


def support(records: pl.LazyFrame, problem_set: str, last: int, seed: int = 0) -> pl.DataFrame:
    """Chance that a problem is kept, gained, lost or never solved within k tries, base against step `last`.

    Products of pass@k are unbiased only between independent draws, and `evaluate` gives every
    checkpoint the same random numbers. So the base's even samples are paired with the other model's odd
    ones, and the other way round; the two products are averaged. k goes up to half the samples.
    Columns: k, kind, value, low, high; the four kinds of one k add up to 1.
    """
    schema: Schema = {"k": pl.Int64, "kind": pl.String, **ESTIMATE}
    halves = _halves(records, problem_set, [0, last]) if last else pl.DataFrame()
    if len(halves) < 2:
        return pl.DataFrame(schema=schema)
    weights = problem_weights(len(halves), seed)
    rows = []
    fewest = min(int(halves[f"num_{step}_{half}"].to_numpy().min()) for step in (0, last) for half in (0, 1))
    for k in powers_up_to(fewest):
        solved = {
            (step, half): pass_at_k(
                halves[f"num_{step}_{half}"].to_numpy(), halves[f"right_{step}_{half}"].to_numpy(), k
            )
            for step in (0, last)
            for half in (0, 1)
        }
        pairs = [(solved[0, half], solved[last, 1 - half]) for half in (0, 1)]
        kinds = {
            "kept": [was * now for was, now in pairs],
            "gained": [(1 - was) * now for was, now in pairs],
            "lost": [was * (1 - now) for was, now in pairs],
            "never": [(1 - was) * (1 - now) for was, now in pairs],
        }
        for kind, both in kinds.items():
            chance = (both[0] + both[1]) / 2
            rows.append(
                {"k": k, "kind": kind} | estimate(float(chance.mean()), mean_interval(weights, chance))
            )
    return pl.DataFrame(rows, schema=schema)


def _halves(records: pl.LazyFrame, problem_set: str, steps: Sequence[int]) -> pl.DataFrame:
    """Per problem that has both halves of the samples at every step: num_STEP_HALF and right_STEP_HALF."""
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    half = pl.col("sample") % 2
    sums = []
    for step in steps:
        for i in (0, 1):
            own = (pl.col("step") == step) & (half == i)
            sums += [
                own.sum().alias(f"num_{step}_{i}"),
                (own & pl.col("correct")).sum().alias(f"right_{step}_{i}"),
            ]
    table = wanted.group_by("problem_id").agg(sums).sort("problem_id").collect()
    counts = [name for name in table.columns if name.startswith("num_")]
    return table.filter(pl.all_horizontal(pl.col(name) > 0 for name in counts))


def support_over_seeds(inputs: Sequence[RunInputs], problem_set: str) -> pl.DataFrame | None:
    """`support` of a group: k, kind, value, low, high."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        return None if one.records is None else support(one.records, problem_set, one.last)

    tables = of_every_run(inputs, make)
    return over_seeds(tables, ["k", "kind"], clip=(0, 1)) if tables else None


def support_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Problems kept, gained, lost and never solved within k tries."""
    joined = support_over_seeds(inputs, problem_set)
    if joined is None:
        return None
    found = {(row["k"], row["kind"]): row for row in joined.iter_rows(named=True)}
    changes = {"kept": "kept", "gained": "gained", "lost": "lost", "never": "missed"}
    rows = [
        [
            Cell(str(k)),
            *(
                share(found.get((k, kind), UNKNOWN)).to(link_to(inputs[0], change=change))
                for kind, change in changes.items()
            ),
        ]
        for k in sorted({k for k, _ in found})
    ]
    note = (
        "Chance that both models solve a problem within k tries, only the model after RL, only the base, or "
        "neither. The two models’ tries are different samples, so k ends at half of them."
    )
    return PageTable("support", "Which problems were gained and lost?", ["k", *changes], rows, note)
