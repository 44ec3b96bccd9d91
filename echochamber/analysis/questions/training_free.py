"""How much of the gain needs no RL? Greedy decoding, votes, forced formats and lower temperatures on the base."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...core.random import key
from ...stats.bootstrap import (
    mean_interval,
    problem_weights,
    ratio_interval,
)
from ..completion_counts import GREEDY
from ..page_table import Cell, PageTable, share, target
from ..run_inputs import RunInputs
from ..study_folder import Study
from .estimates import ESTIMATE, estimate, over_seeds
from .score_changes import paired_ends, score_bounds, shared_quantities

SCHEMA: dict[str, Any] = {"method": pl.String, "step": pl.Int64} | ESTIMATE


def no_training(problems: pl.DataFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """method, step, value, low, high for base (step 0) and last step on one set.

    Methods: one sample, greedy, and a vote among all samples, each for the base and after RL.
    """
    chosen = problems.filter(pl.col("problem_set") == problem_set)
    sides = paired_ends(chosen)
    weights = problem_weights(max(len(sides[0]), 1), seed)
    shared = shared_quantities(*sides)
    votes = sorted(
        (int(name[4:]) for name in shared if name.startswith("maj@") and name != "maj@1"), reverse=True
    )[:1]
    methods = {"one sample": "accuracy", "greedy": "greedy_accuracy"} | {
        f"vote of {k}": f"maj@{k}" for k in votes
    }
    last = int(chosen["step"].to_numpy().max()) if len(chosen) else 0
    rows = []
    for place, step, side in zip(("base", "after RL"), (0, last), sides, strict=True):
        for method, quantity in methods.items():
            if quantity in shared:
                values = side[quantity].to_numpy()
                found = estimate(float(values.mean()), score_bounds(weights, values, quantity))
                rows.append({"method": f"{place}, {method}", "step": step} | found)
    return pl.DataFrame(rows, schema=SCHEMA)


def forced_accuracies(forced: pl.LazyFrame, problem_set: str, seed: int = 0, step: int = 0) -> pl.DataFrame:
    """Accuracy of the base (or of RL's `step`) when each format's opening is given, and of the best of them: `no_training`'s columns.

    The best format is chosen on one half of the problems and measured on the other, both ways
    round, so that choosing it does not flatter it.
    """
    wanted = forced.filter(
        (pl.col("problem_set") == problem_set)
        & (pl.col("step") == step)
        & (pl.col("outcome") != "infrastructure")
    )
    table = (
        wanted.group_by("problem_id", "forced_format")
        .agg(num=pl.len(), right=pl.col("correct").sum())
        .collect()
    )
    problems = sorted(set(table["problem_id"]))
    formats = sorted(set(table["forced_format"]))
    if len(problems) < 2 or not formats:
        return pl.DataFrame(schema=SCHEMA)
    num, right = np.zeros((2, len(problems), len(formats)))
    place = {name: i for i, name in enumerate(problems)}
    for problem, form, n, r in table.select("problem_id", "forced_format", "num", "right").rows():
        num[place[problem], formats.index(form)], right[place[problem], formats.index(form)] = n, r
    weights, who = problem_weights(len(problems), seed), "after RL" if step else "base"
    rows = []
    for i, form in enumerate(formats):
        share = float(right[:, i].sum() / num[:, i].sum())
        rows.append(
            {"method": f"{who}, {form} forced", "step": step}
            | estimate(share, ratio_interval(weights, right[:, i], num[:, i]))
        )
    half = np.array([key("halves of the problems", name) % 2 for name in problems])
    if len(set(half.tolist())) == 2 and len(formats) > 1:
        best = [
            int((right[half == h].sum(0) / np.maximum(num[half == h].sum(0), 1)).argmax()) for h in (1, 0)
        ]
        column = np.where(half == 0, best[0], best[1])
        chosen_right, chosen_num = (a[np.arange(len(problems)), column] for a in (right, num))
        value = float(chosen_right.sum() / chosen_num.sum())
        rows.append(
            {"method": f"{who}, best format forced", "step": step}
            | estimate(value, ratio_interval(weights, chosen_right, chosen_num))
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def temperature_accuracies(sweep: pl.LazyFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """Accuracy of the base's single samples at each temperature of the sweep: `no_training`'s columns.

    Temperature 0 is left out: it is the greedy row of `no_training`.
    """
    wanted = sweep.filter(
        (pl.col("problem_set") == problem_set)
        & (pl.col("step") == 0)
        & (pl.col("sample") != GREEDY)
        & (pl.col("outcome") != "infrastructure")
    )
    table = (
        wanted.group_by(pl.col("temperature").cast(pl.Float64).round(6), "problem_id")
        .agg(num=pl.len(), right=pl.col("correct").sum())
        .collect()
    )
    rows = []
    for (temperature,), part in table.sort("temperature", "problem_id").group_by(
        ["temperature"], maintain_order=True
    ):
        shares = (part["right"] / part["num"]).to_numpy()
        bounds = mean_interval(problem_weights(len(part), seed), shares)
        rows.append(
            {"method": f"base, temperature {temperature:g}", "step": 0}
            | estimate(float(shares.mean()), bounds)
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def baselines_table(study: Study, inputs: Sequence[RunInputs], chosen: str) -> PageTable | None:
    """What needs no RL on the base, beside the RL model's own tries."""
    if any(one.problems is None or not one.last for one in inputs):
        return None
    tables = [method_rows(one, chosen) for one in inputs]
    if not all(len(table) for table in tables):
        return None
    rows = []
    for row in over_seeds(tables, ["method"], clip=(0, 1)).iter_rows(named=True):
        goal = target(inputs[0], step=0 if row["method"].startswith("base") else inputs[0].last)
        rows.append([Cell(row["method"]), share(row).to(goal)])
    note = ""
    if not any(one.probed for one in inputs):
        note = "Forced formats and lower temperatures are measured by the probe stage, which this study does not have (probe: {} in the recipe adds it)."
    elif any("forced" in one.probed for one in inputs):
        note = "The best format is chosen on one half of the problems and measured on the other. Completions of probes are in their own artifact; a click leads to the base’s free ones."
    return PageTable(
        "How much of it needs no training?", ["Method", "Accuracy with 95% interval"], rows, note
    )


def method_rows(one: RunInputs, chosen: str) -> pl.DataFrame:
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
