"""pass@k beside what it should be compared with: right by right steps, and right by chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ...core.numbers import format_number, parse_number
from ...stats.bootstrap import mean_interval, problem_weights
from ...stats.pass_at_k import pass_at_k, powers_up_to
from .common import ESTIMATE, estimate


def pass_variants(
    records: pl.LazyFrame, problem_set: str, steps: Sequence[int], seed: int = 0
) -> pl.DataFrame:
    """pass@k of three kinds of success: `answer` right, `steps` right too, and `chance`.

    Chance: references permuted among the problems of one family and magnitude (as many digits), the
    exact mean over every other problem's reference, equal ones among them; a model that reads only
    what kind of problem it is scores no less on its own references than that. Problems without another
    of their kind are left out of it. `steps` counts completions whose process was checked and right,
    and is left out where no process was checked. Columns: step, kind, k, value, low, high.
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
    schema: dict[str, Any] = {"step": pl.Int64, "kind": pl.String, "k": pl.Int64}
    return pl.DataFrame(rows, schema=schema | ESTIMATE)


def _floor(part: pl.DataFrame, step: int, seed: int) -> list[dict[str, Any]]:
    """The chance floor's curve, over problems that have others of their kind."""
    table = chance_matches(part)
    if not len(table):
        return []
    problems = table.select("problem_id", "n").unique().sort("problem_id")
    place = {name: i for i, name in enumerate(problems["problem_id"])}
    row = np.array([place[name] for name in table["problem_id"]], dtype=int)
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
    """problem_id, n completions, and per distinct reference of the other problems of its kind: c completions that give it, its weight.

    The weights of one problem are shares of the other problems; a reference that no completion of the
    problem gives is left out but for one row, so that every problem with others is there.
    """
    kinds = (
        part.select("problem_id", "family", "reference")
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
    totals = part.group_by("problem_id").agg(n=pl.len())
    answers = part.with_columns(given=_plain(part["answer"])).group_by("problem_id", "given").agg(c=pl.len())
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
    return pl.concat([base.select(columns), found.select(columns)], how="vertical_relaxed").sort("problem_id")


def _plain(column: pl.Series) -> pl.Expr:
    """The column with one spelling per number, so that `18.0` and `1,000` meet `18` and `1000`; other texts as they are."""
    spelled = column.drop_nulls().unique().to_list()
    return pl.col(column.name).replace_strict(
        spelled, [_canonical(text) for text in spelled], default=None, return_dtype=pl.String
    )


def _canonical(text: str) -> str:
    try:
        return format_number(parse_number(text.replace(",", "")))
    except (ValueError, ZeroDivisionError):
        return text.strip()


def _curve(judged: pl.DataFrame, step: int, kind: str, column: str, seed: int) -> list[dict[str, Any]]:
    counts = judged.group_by("problem_id").agg(n=pl.len(), c=pl.col(column).sum()).sort("problem_id")
    if not len(counts):
        return []
    n, c = counts["n"].to_numpy().astype(float), counts["c"].to_numpy().astype(float)
    weights = problem_weights(len(counts), seed)
    curves = {k: pass_at_k(n, c, k) for k in powers_up_to(int(np.min(n)))}
    return [
        {"step": step, "kind": kind, "k": k} | estimate(float(v.mean()), mean_interval(weights, v))
        for k, v in curves.items()
    ]
