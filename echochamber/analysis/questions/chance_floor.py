"""How much of pass@k is guessing? pass@k on answers, on whole solutions, and by chance."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ...core.numbers import format_number, parse_number
from ...stats.bootstrap import (
    mean_interval,
    problem_weights,
)
from ...stats.pass_at_k import pass_at_k, powers_up_to
from ..page_table import Cell, PageTable, both_ends, share
from ..run_inputs import RunInputs
from ..study_folder import JsonObject
from .estimates import ESTIMATE, UNKNOWN, Schema, estimate, of_every_run, over_seeds

KINDS = {"answer": "Correct answer", "steps": "Correct steps", "chance": "Chance floor"}
"""Kinds of success and how they are called on the page and in figures."""


def pass_variants(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], seed: int = 0
) -> pl.DataFrame:
    """pass@k of three kinds of success: `answer` right, `steps` right too, and `chance`.

    Chance: a problem's completions are graded against the references of the other problems of its family
    and magnitude (as many digits), equal ones among them. It is the exact mean over all of them. A model
    that reads only the kind of problem scores no less on its own references. Problems without another of
    their kind are left out. `steps` counts completions whose process was checked and right; it is left
    out where no process was checked. Columns: step, kind, k, value, low, high.
    """
    columns = ["step", "problem_id", "family", "reference", "answer", "correct", "process"]
    wanted = records.filter(
        (pl.col("sample") >= 0) & (pl.col("problem_set") == problem_set) & pl.col("step").is_in(list(steps))
    )
    table = wanted.select(columns).collect()
    rows = []
    for step in steps:
        part = table.filter(pl.col("step") == step).with_columns(
            steps=pl.col("correct") & (pl.col("process") == "right_steps").fill_null(False)
        )
        checked = bool((part["process"].fill_null("") != "").any())
        rows += _curve(part, step, "answer", "correct", seed)
        rows += _curve(part, step, "steps", "steps", seed) if checked else []
        rows += _floor(part, step, seed)
    schema: Schema = {"step": pl.Int64, "kind": pl.String, "k": pl.Int64}
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def _floor(part: pl.DataFrame, step: int, seed: int) -> list[JsonObject]:
    """The chance floor's curve, over problems that have others of their kind."""
    table = chance_matches(part)
    if not len(table):
        return []
    problems = table.select("problem_id", "n").unique().sort("problem_id")
    index = {name: i for i, name in enumerate(problems["problem_id"])}
    row = np.array([index[name] for name in table["problem_id"]], dtype=int)
    n, c, weight = (table[name].to_numpy().astype(float) for name in ("n", "c", "weight"))
    weights, rows = problem_weights(len(problems), seed), []
    for k in powers_up_to(int(problems["n"].to_numpy().min())):
        values = np.bincount(row, weight * pass_at_k(n, c, k), minlength=len(problems))
        rows.append(
            {"step": step, "kind": "chance", "k": k}
            | estimate(float(values.mean()), mean_interval(weights, values))
        )
    return rows


def chance_matches(part: pl.DataFrame) -> pl.DataFrame:
    """One row per problem and distinct reference of the other problems of its kind.

    Columns: problem_id, n (completions), c (completions that give that reference), weight. The weights of
    one problem are shares of the other problems. A reference that no completion of the problem gives is
    left out but for one row, so that every problem with others is there.
    """
    whole = part.lazy()
    kinds = (
        whole.select("problem_id", "family", "reference")
        .unique("problem_id")
        .with_columns(
            family=pl.col("family").fill_null(""),
            size=pl.col("reference").fill_null("").str.strip_chars_start("-").str.len_chars(),
            said=_plain(part["reference"]),
        )
    )
    kind = ["family", "size"]
    held = kinds.group_by([*kind, "said"]).agg(holders=pl.len().cast(pl.Int64))
    kinds = kinds.with_columns(others=pl.len().over(kind).cast(pl.Int64) - 1).filter(pl.col("others") > 0)
    totals = whole.group_by("problem_id").agg(n=pl.len())
    answers = whole.with_columns(given=_plain(part["answer"])).group_by("problem_id", "given").agg(c=pl.len())
    matched = (
        kinds.join(answers, on="problem_id")
        .join(held.rename({"said": "given"}), on=[*kind, "given"])
        .with_columns(
            weight=(pl.col("holders") - (pl.col("given") == pl.col("said")).cast(pl.Int64)) / pl.col("others")
        )
    )
    columns = ["problem_id", "n", "c", "weight"]
    base = kinds.join(totals, on="problem_id").with_columns(c=pl.lit(0), weight=pl.lit(0.0))
    found = matched.join(totals, on="problem_id").with_columns(c=pl.col("c").cast(pl.Int32))
    both = [base.select(columns), found.select(columns)]
    return pl.concat(both, how="vertical_relaxed").sort("problem_id").collect()


def _plain(column: pl.Series) -> pl.Expr:
    """The column with one spelling per number: `18.0` is `18`, `1,000` is `1000`; other texts stay."""
    spelled = sorted(set(column.to_list()) - {None})
    return pl.col(column.name).replace_strict(
        spelled, [_canonical(text) for text in spelled], default=None, return_dtype=pl.String
    )


def _canonical(text: str) -> str:
    try:
        return format_number(parse_number(text.replace(",", "")))
    except (ValueError, ZeroDivisionError):
        return text.strip()


def _curve(judged: pl.DataFrame, step: int, kind: str, column: str, seed: int) -> list[JsonObject]:
    sums = judged.lazy().group_by("problem_id").agg(n=pl.len(), c=pl.col(column).sum())
    counts = sums.sort("problem_id").collect()
    if not len(counts):
        return []
    n, c = counts["n"].to_numpy().astype(float), counts["c"].to_numpy().astype(float)
    weights = problem_weights(len(counts), seed)
    curves = {k: pass_at_k(n, c, k) for k in powers_up_to(int(np.min(n)))}
    return [
        {"step": step, "kind": kind, "k": k} | estimate(float(v.mean()), mean_interval(weights, v))
        for k, v in curves.items()
    ]


def variants_over_seeds(inputs: Sequence[RunInputs], problem_set: str) -> pl.DataFrame | None:
    """`pass_variants` of a group at both ends: last (after RL?), kind, k, value, low, high."""

    def make(one: RunInputs) -> pl.DataFrame | None:
        if one.records is None or not one.last:
            return None
        return pass_variants(one.records, problem_set, (0, one.last)).with_columns(last=pl.col("step") > 0)

    tables = of_every_run(inputs, make)
    return over_seeds(tables, ["last", "kind", "k"], clip=(0, 1)) if tables else None


def variants_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """pass@k on answers, on whole solutions, and by chance."""
    joined = variants_over_seeds(inputs, problem_set)
    if joined is None:
        return None
    found = {(row["k"], row["kind"], row["last"]): row for row in joined.iter_rows(named=True)}
    links = both_ends(inputs[0])
    sides = [(kind, last) for kind in KINDS if any(kind == key[1] for key in found) for last in links]
    rows = [
        [
            Cell(str(k)),
            *(share(found.get((k, *side), UNKNOWN)).to(links[side[1]]) for side in sides),
        ]
        for k in sorted({key[0] for key in found})
    ]
    columns = ["k", *(f"{KINDS[kind]}, {'after' if last else 'before'}" for kind, last in sides)]
    note = (
        "Chance that at least one of k tries succeeds. Correct steps: every step was checked and is right. "
        "Chance floor: completions are graded against the answers of other problems of the same family and "
        "magnitude."
    )
    return PageTable("chance_floor", "How much of pass@k is guessing?", columns, rows, note)
