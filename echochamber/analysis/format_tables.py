"""Analyses of formats as tables of text: dynamics, style, forecasts, errors of flips."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ..stats.forecast import effective_kl_weight
from .headline import percent
from .page_table import Inputs, PageTable, share, target
from .runs import rl_config, rollout_size
from .study_folder import Study
from .tables.dynamics import first_steps, format_costs, format_dynamics, style_changes
from .tables.errors import flip_errors
from .tables.forecasts import forecast_table


def forecasts_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Forecasts of the first seed; the rest is one row per forecast and would hide in a mean."""
    one = inputs[0]
    if one.counted is None or not one.run.arm:
        return None
    config = rl_config(study, one.run.arm)
    weight, reason = _kl_weight(config)
    prompts, samples = rollout_size(config)
    table = forecast_table(one.counted, one.last, one.formats, weight, prompts, samples)
    rows = [
        [
            row["forecast"],
            row["winner"],
            percent(row["share"]),
            f"{row['total_variation']:.2f}",
            f"{row['brier']:.2f}",
            "yes" if row["hit"] else "no",
        ]
        for row in table.iter_rows(named=True)
    ]
    note = f"Seed {one.run.seed}. Effective KL weight: {f'{weight:g}' if weight is not None else 'none'}, because {reason}. The bandit sees only base shares and accuracies (rate 1): what it reaches needs no language model."
    columns = ["Forecast from the base", "Winner", "Its share", "Total variation", "Brier", "Right winner"]
    return PageTable("Could the winner be foretold from the base?", columns, rows, note) if rows else None


_DIVIDE_BY_SPREAD = ("grpo", "dapo", "gspo")


def _kl_weight(config: dict[str, Any]) -> tuple[float | None, str]:
    """The weight that the arm really optimises; None where the recipe does not say enough."""
    kl, algorithm = config.get("kl"), config.get("algorithm")
    if not isinstance(kl, dict) or not isinstance(kl.get("coef"), int | float):
        return None, "the recipe does not state it"
    place, estimator = kl.get("place", "reward"), kl.get("estimator", "k1")
    if kl.get("target") is not None:
        return None, "the coefficient adapts during the run"
    return effective_kl_weight(float(kl["coef"]), place, estimator, normalise=algorithm in _DIVIDE_BY_SPREAD)


def dynamics_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """When each format led and took over, one row per seed and format."""
    rows: list[list[str]] = []
    targets = []
    for one in inputs:
        costs = (
            format_costs(one.records, chosen)
            if one.records is not None
            else pl.DataFrame(schema={"step": pl.Int64, "format": pl.String, "tokens": pl.Float64})
        )
        tokens = {(row["step"], row["format"]): row["tokens"] for row in costs.iter_rows(named=True)}
        for row in first_steps(format_dynamics(one.run.dense, one.formats)).iter_rows(named=True):
            steps = [
                "–" if row[key] is None else str(row[key])
                for key in ("leads_at", "overtakes_at", "takes_over_at")
            ]
            length = tokens.get((0, row["format"]))
            cells = [
                percent(row["first_share"]),
                f"{percent(row['peak_share'])} at step {row['peak_step']}",
                percent(row["last_share"]),
            ]
            rows.append(
                [
                    str(one.run.seed),
                    row["format"],
                    *cells,
                    *steps,
                    f"{length:.0f}" if length is not None else "–",
                ]
            )
            targets.append(target(one, step=row["peak_step"], format=row["format"]))
    columns = [
        "Seed",
        "Format",
        "First share",
        "Peak",
        "Last share",
        "Leads from step",
        "Overtakes at",
        "Over 90% at",
        "Tokens at base",
    ]
    return PageTable("Who led when?", columns, rows, "From the training rollouts.", targets) if rows else None


def style_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Habits inside a format that moved clearly, first seed."""
    one = inputs[0]
    if one.records is None or not one.last:
        return None
    table = style_changes(one.records, chosen, one.last)
    rows = []
    for (form, feature, word), pair in table.group_by("format", "feature", "word", maintain_order=True):
        before, after = pair.row(0, named=True), pair.row(1, named=True)
        apart = None not in (before["low"], after["low"]) and (
            before["high"] < after["low"] or after["high"] < before["low"]
        )
        if apart:
            rows.append(
                [
                    str(form),
                    f"{str(feature).replace('_', ' ')}: {str(word).replace('_', ' ')}",
                    share(before),
                    share(after),
                ]
            )
    note = f"Seed {one.run.seed}; habits whose two intervals lie apart, in formats written at both ends. {len(table) // 2} were measured."
    return (
        PageTable(
            "What changed inside a format?",
            ["Format", "Habit", "Before", "After"],
            rows,
            note,
            [target(one, format=row[0]) for row in rows],
        )
        if rows
        else None
    )


def errors_table(study: Study, inputs: Sequence[Inputs], chosen: str) -> PageTable | None:
    """Kinds of first error among flips of the greedy answer, first seed."""
    one = inputs[0]
    table = flip_errors(one.records, chosen, one.last) if one.records is not None and one.last else None
    if table is None or set(table["first_error"]) <= {"not checked"}:
        return None
    rows = [
        [row["flip"], row["first_error"].replace("_", " "), str(row["count"]), share(row)]
        for row in table.iter_rows(named=True)
    ]
    columns = ["Flip", "First error of the wrong side", "Problems", "Share of the flip"]
    targets = [target(one, change="gained" if row[0] == "wrong to right" else "lost") for row in rows]
    return PageTable(
        "What went wrong first, where the greedy answer flipped?",
        columns,
        rows,
        f"Seed {one.run.seed}.",
        targets,
    )
