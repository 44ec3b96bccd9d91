"""The analyses as the page shows them: one block per group of runs, each table with a question over it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..stats.forecast import effective_kl_weight
from .headline import bounds, percent
from .page_data import written_formats
from .runs import Run
from .study_folder import Study, scan_table
from .tables.common import counts, over_seeds
from .tables.dynamics import first_steps, format_costs, format_dynamics
from .tables.errors import flip_errors, two_scorers
from .tables.forecasts import forecast_table
from .tables.gains import paired_gains, support
from .tables.selection import selection_or_skill

PROBLEM_COLUMNS = ("problem_set", "step", "problem_id", "num_samples", "num_correct", "greedy_correct")


@dataclass(frozen=True)
class PageTable:
    """A question, its answer as a table of text, and what to know when reading it."""

    question: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(frozen=True)
class Inputs:
    """What one run offers to the analyses; None or empty where it is not there."""

    run: Run
    last: int
    formats: list[str]
    records: pl.LazyFrame | None
    problems: pl.DataFrame | None
    counted: pl.DataFrame | None


def findings(study: Study, runs: Sequence[Run], chosen: tuple[str, str]) -> list[tuple[str, list[PageTable]]]:
    """For each group of runs its label and those tables for which the study has data."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    found = []
    for group, members in groups.items():
        inputs = [_inputs(study, run, chosen) for run in members]
        tables = [table for make in MAKERS for table in [make(study, inputs, chosen[0])] if table is not None]
        if tables:
            found.append((" · ".join(part for part in group if part), tables))
    return found


def _inputs(study: Study, run: Run, chosen: tuple[str, str]) -> Inputs:
    last = max(run.steps(chosen), default=0)
    formats = written_formats([run])
    scans = [scan_table(study, node, "records.parquet") for node in run.evaluations]
    known = [scan for scan in scans if scan is not None]
    tables = [scan_table(study, node, "problems.parquet", PROBLEM_COLUMNS) for node in run.evaluations]
    problems = [table.collect() for table in tables if table is not None]
    records = pl.concat(known, how="diagonal") if known else None
    counted = counts(records, chosen[0], [0, last]) if records is not None and last and formats else None
    return Inputs(run, last, formats, records, pl.concat(problems, how="diagonal_relaxed") if problems else None, counted)


def _signed(value: float | None, interval: Sequence[float | None]) -> str:
    """`+38 points [35 to 41]`."""
    if value is None:
        return "not estimable"
    low, high = interval
    around = f" [{100 * low:+.1f} to {100 * high:+.1f}]" if low is not None and high is not None else " (no interval)"
    return f"{100 * value:+.1f} points{around}"


def _share(row: dict[str, Any]) -> str:
    known = [row["low"], row["high"]] if row["low"] is not None else None
    return f"{percent(row['value'])} [{bounds(known)}]" if row["value"] is not None else "not estimable"


def gains_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Paired changes in every problem set: the gains, and the transfer between sets."""
    tables = [paired_gains(one.problems) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    joined = over_seeds(tables, ["problem_set", "quantity"])
    means = pl.concat(tables).group_by("problem_set", "quantity").agg(pl.col("before").mean(), pl.col("after").mean())
    rows = [
        [row["problem_set"], row["quantity"].replace("_", " "), percent(row["before"]), percent(row["after"]), _signed(row["value"], (row["low"], row["high"]))]
        for row in joined.join(means, on=["problem_set", "quantity"], how="left", maintain_order="left").iter_rows(named=True)
        if row["quantity"] not in ("pass@1", "maj@1")  # both are the accuracy
    ]
    note = "Each problem is its own control." if len(inputs) == 1 else "Each seed is its own control; Student’s t over seeds."
    return PageTable("Did the scores really change?", ["Problems", "Score", "Before", "After", "Change with 95% interval"], rows, note)


def selection_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Selection against skill, with the range left open by formats that died out."""
    tables = [selection_or_skill(one.counted, one.last, one.formats) for one in inputs if one.counted is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    names = {"gain": "whole gain", "selection": "choosing more accurate formats", "skill": "being right more often within a format"}
    ranges = pl.concat(tables).group_by("part").agg(pl.col("at_least").min(), pl.col("at_most").max())
    rows = [
        [names[row["part"]], _signed(row["value"], (row["low"], row["high"])), f"{100 * row['at_least']:+.1f} to {100 * row['at_most']:+.1f}"]
        for row in over_seeds(tables, ["part"]).join(ranges, on="part", how="left", maintain_order="left").iter_rows(named=True)
    ]
    note = (
        "The gain is split exactly, problem by problem. A format that the model no longer writes has no accuracy after RL: "
        "the estimate assumes it kept the one it had, the last column is the range over every accuracy it could have."
    )
    return PageTable("Selection or skill?", ["Part of the accuracy gain", "Estimate with 95% interval", "Whatever died out could do"], rows, note)


def support_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Problems kept, gained, lost and never solved within k tries."""
    tables = [support(one.problems, chosen) for one in inputs if one.problems is not None]
    tables = [table for table in tables if len(table)]
    if not tables or len(tables) < len(inputs):
        return None
    joined = over_seeds(tables, ["k", "kind"])
    kinds = ["kept", "gained", "lost", "never"]
    cells = {(row["k"], row["kind"]): _share(row) for row in joined.iter_rows(named=True)}
    rows = [[str(k), *(cells.get((k, kind), "not estimable") for kind in kinds)] for k in sorted({k for k, _ in cells})]
    note = "Chance that a problem is solved within k tries by both models, only after RL, only before, or by neither."
    return PageTable("Which problems were gained, which were lost?", ["k", *kinds], rows, note)


def forecasts_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Forecasts of the first seed; the rest is one row per forecast and would hide in a mean."""
    one = inputs[0]
    if one.counted is None or not one.run.arm:
        return None
    config = _rl_config(study, one.run.arm)
    weight, reason = _kl_weight(config)
    counted = [config.get(name) for name in ("prompts_per_step", "samples_per_prompt")]
    prompts, samples = (value if isinstance(value, int) else default for value, default in zip(counted, (32, 8), strict=True))
    table = forecast_table(one.counted, one.last, one.formats, weight, prompts, samples)
    rows = [
        [row["forecast"], row["winner"], percent(row["share"]), f"{row['total_variation']:.2f}", f"{row['brier']:.2f}", "yes" if row["hit"] else "no"]
        for row in table.iter_rows(named=True)
    ]
    note = f"Seed {one.run.seed}. Effective KL weight: {f'{weight:g}' if weight is not None else 'none'}, because {reason}. The bandit sees only base shares and accuracies (rate 1): what it reaches needs no language model."
    columns = ["Forecast from the base", "Winner", "Its share", "Total variation", "Brier", "Right winner"]
    return PageTable("Could the winner be foretold from the base?", columns, rows, note) if rows else None


def _rl_config(study: Study, arm: str) -> dict[str, Any]:
    arms = study.recipe.get("rl")
    found = arms.get(arm) if isinstance(arms, dict) else None
    return found if isinstance(found, dict) else {}


def _kl_weight(config: dict[str, Any]) -> tuple[float | None, str]:
    """The weight that the arm really optimises; None where the recipe does not say enough."""
    kl, algorithm = config.get("kl"), config.get("algorithm")
    if not isinstance(kl, dict) or not isinstance(kl.get("coef"), int | float):
        return None, "the recipe does not state it"
    place, estimator = kl.get("place", "loss"), kl.get("estimator", "k3")
    if place not in ("reward", "loss") or estimator not in ("k1", "k2", "k3"):
        return None, f"no optimum is derived for KL {estimator} in the {place}"
    return effective_kl_weight(float(kl["coef"]), place, estimator, normalise=algorithm == "grpo")


def dynamics_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """When each format led and took over, one row per seed and format."""
    rows = []
    for one in inputs:
        costs = format_costs(one.records, chosen) if one.records is not None else pl.DataFrame(schema={"step": pl.Int64, "format": pl.String, "tokens": pl.Float64})
        tokens = {(row["step"], row["format"]): row["tokens"] for row in costs.iter_rows(named=True)}
        for row in first_steps(format_dynamics(one.run.dense, one.formats)).iter_rows(named=True):
            steps = ["–" if row[key] is None else str(row[key]) for key in ("leads_at", "overtakes_at", "takes_over_at")]
            length = tokens.get((0, row["format"]))
            cells = [percent(row["first_share"]), f"{percent(row['peak_share'])} at step {row['peak_step']}", percent(row["last_share"])]
            rows.append([str(one.run.seed), row["format"], *cells, *steps, f"{length:.0f}" if length is not None else "–"])
    columns = ["Seed", "Format", "First share", "Peak", "Last share", "Leads from step", "Overtakes at", "Over 90% at", "Tokens at base"]
    return PageTable("Who led when?", columns, rows, "From the training rollouts.") if rows else None


def errors_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Kinds of first error among flips of the greedy answer, first seed."""
    one = inputs[0]
    table = flip_errors(one.records, chosen, one.last) if one.records is not None and one.last else None
    if table is None or set(table["first_error"]) <= {"not checked"}:
        return None
    rows = [[row["flip"], row["first_error"].replace("_", " "), str(row["count"]), _share(row)] for row in table.iter_rows(named=True)]
    return PageTable("What went wrong first, where the greedy answer flipped?", ["Flip", "First error of the wrong side", "Problems", "Share of the flip"], rows, f"Seed {one.run.seed}.")


def scorers_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """The headline numbers under the paper's own scorer, first seed."""
    one = inputs[0]
    table = two_scorers(one.records, chosen, (0, one.last)) if one.records is not None and one.last else None
    if table is None or not len(table):
        return None
    rows = [[f"step {row['step']}", row["scorer"], row["quantity"], _share(row)] for row in table.iter_rows(named=True)]
    return PageTable("And under the paper’s own scorer?", ["Checkpoint", "Scorer", "Quantity", "Value with 95% interval"], rows, f"Seed {one.run.seed}.")


MAKERS: tuple[Callable[[Study, Sequence[Inputs], str], PageTable | None], ...] = (
    gains_table, selection_table, support_table, dynamics_table, forecasts_table, errors_table, scorers_table,
)  # fmt: skip
