"""How much of the accuracy gain needs no training?

Greedy decoding, votes, forced formats and lower temperatures on the base, beside the model after RL.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...core.keys import key
from ...stats.bootstrap import mean_interval, problem_weights, ratio_interval
from ...stats.intervals import Interval
from ..completion_counts import GREEDY
from ..page_table import Cell, PageTable, link_to, share
from ..run_inputs import RunInputs
from ..study_folder import JsonObject
from .estimates import ESTIMATE, Schema, estimate, of_every_run, over_seeds
from .score_changes import paired_ends, score_bounds, shared_quantities

KEYS = ("model", "method", "setting")
"""model: `base` or `rl`. method: a key of `LABELS`. setting: the k of a vote, a format, a temperature."""
SCHEMA: Schema = {**dict.fromkeys(KEYS, pl.String), "step": pl.Int64, **ESTIMATE}
MODELS = {"base": "base", "rl": "after RL"}
LABELS = {
    "sample": "one sample",
    "greedy": "greedy",
    "vote": "vote of {setting}",
    "forced": "{setting} forced",
    "best_forced": "best format forced",
    "temperature": "temperature {setting}",
}


def method_label(model: str, method: str, setting: str) -> str:
    """A row in words.

    >>> method_label("base", "vote", "8")
    'base, vote of 8'
    """
    return f"{MODELS[model]}, {LABELS[method].format(setting=setting)}"


def no_training(problems: pl.DataFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """One sample, the greedy answer and a vote among all samples: the base, then the last step.

    Columns: those of `KEYS`, step, value, low, high.
    """
    chosen = problems.filter(pl.col("problem_set") == problem_set)
    sides = paired_ends(chosen)
    weights = problem_weights(max(len(sides[0]), 1), seed)
    shared = shared_quantities(*sides)
    votes = [int(name[4:]) for name in shared if name.startswith("maj@") and name != "maj@1"]
    methods = [("sample", "", "accuracy"), ("greedy", "", "greedy_accuracy")]
    methods += [("vote", str(k), f"maj@{k}") for k in sorted(votes, reverse=True)[:1]]
    last = int(chosen["step"].to_numpy().max()) if len(chosen) else 0
    rows = []
    for model, step, side in zip(MODELS, (0, last), sides, strict=True):
        for method, setting, quantity in methods:
            if quantity in shared:
                values = side[quantity].to_numpy()
                found = estimate(float(values.mean()), score_bounds(weights, values, quantity))
                rows.append(_head(model, method, setting, step) | found)
    return pl.DataFrame(rows, schema=SCHEMA)


def _head(model: str, method: str, setting: str, step: int) -> JsonObject:
    return {"model": model, "method": method, "setting": setting, "step": step}


@dataclass(frozen=True)
class _ForcedCounts:
    """Completions per problem and forced format, (P, F) each."""

    problems: list[str]
    formats: list[str]
    num: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, table: pl.DataFrame) -> "_ForcedCounts":
        """From rows problem_id, forced_format, num, right."""
        problems, formats = (sorted(set(table[name])) for name in ("problem_id", "forced_format"))
        num, right = np.zeros((2, len(problems), len(formats)))
        index = {name: i for i, name in enumerate(problems)}
        columns = {name: i for i, name in enumerate(formats)}
        for problem, name, n, r in table.select("problem_id", "forced_format", "num", "right").rows():
            num[index[problem], columns[name]], right[index[problem], columns[name]] = n, r
        return cls(problems, formats, num, right)

    def best_of_other_half(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(right, num) per problem, in the format that is most accurate on the other half of the problems."""
        half = np.array([key("halves of the problems", name) % 2 for name in self.problems])
        if len(set(half.tolist())) < 2 or len(self.formats) < 2:
            return None
        right, num = self.right, self.num
        best = [
            int((right[half == h].sum(0) / np.maximum(num[half == h].sum(0), 1)).argmax()) for h in (1, 0)
        ]
        column = np.where(half == 0, best[0], best[1])
        rows = np.arange(len(self.problems))
        return right[rows, column], num[rows, column]


def forced_accuracies(forced: pl.LazyFrame, problem_set: str, seed: int = 0, step: int = 0) -> pl.DataFrame:
    """Accuracy when each format's opening is given, and of the best format; `no_training`'s columns.

    `step` 0 is the base, another the model after that step of RL. The best format is chosen on one half
    of the problems and measured on the other, both ways round, so that the choice does not flatter it.
    """
    wanted = forced.filter(
        (pl.col("problem_set") == problem_set)
        & (pl.col("step") == step)
        & (pl.col("outcome") != "infrastructure")
    )
    grouped = wanted.group_by("problem_id", "forced_format")
    found = _ForcedCounts.of(grouped.agg(num=pl.len(), right=pl.col("correct").sum()).collect())
    if len(found.problems) < 2 or not found.formats:
        return pl.DataFrame(schema=SCHEMA)
    weights, model = problem_weights(len(found.problems), seed), "rl" if step else "base"
    rows = [
        _head(model, "forced", name, step) | _pooled(weights, found.right[:, i], found.num[:, i])
        for i, name in enumerate(found.formats)
    ]
    best = found.best_of_other_half()
    if best is not None:
        rows.append(_head(model, "best_forced", "", step) | _pooled(weights, *best))
    return pl.DataFrame(rows, schema=SCHEMA)


def _pooled(weights: np.ndarray, right: np.ndarray, num: np.ndarray) -> dict[str, float | None]:
    bounds: Interval = ratio_interval(weights, right, num)
    return estimate(float(right.sum() / num.sum()), bounds)


def temperature_accuracies(sweep: pl.LazyFrame, problem_set: str, seed: int = 0) -> pl.DataFrame:
    """Accuracy of the base's single samples at each temperature of the sweep; `no_training`'s columns.

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
        .sort("temperature", "problem_id")
    )
    rows = []
    for (temperature,), part in table.group_by(["temperature"], maintain_order=True):
        shares = (part["right"] / part["num"]).to_numpy()
        bounds = mean_interval(problem_weights(len(part), seed), shares)
        found = estimate(float(shares.mean()), bounds)
        rows.append(_head("base", "temperature", f"{temperature:g}", 0) | found)
    return pl.DataFrame(rows, schema=SCHEMA)


def methods_over_seeds(inputs: Sequence[RunInputs], problem_set: str) -> pl.DataFrame | None:
    """All methods of a group: `KEYS`, value, low, high; None where some run has no scores at both ends."""
    tables = of_every_run(inputs, lambda one: _method_rows(one, problem_set))
    return over_seeds(tables, KEYS, clip=(0, 1)) if tables else None


def _method_rows(one: RunInputs, problem_set: str) -> pl.DataFrame | None:
    """All methods of one run, those of the base first."""
    if one.problems is None or not one.last:
        return None
    tables = [no_training(one.problems, problem_set)]
    if "forced" in one.probed:
        tables.append(forced_accuracies(one.probed["forced"], problem_set))
    if "sweep" in one.probed:
        tables.append(temperature_accuracies(one.probed["sweep"], problem_set))
    rows = pl.concat(tables)
    base = pl.col("model") == "base"
    return pl.concat([rows.filter(base), rows.filter(~base)])


def baselines_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """What needs no RL on the base, beside the RL model's own samples."""
    joined = methods_over_seeds(inputs, problem_set)
    if joined is None:
        return None
    rows = [
        [
            Cell(method_label(*(row[name] for name in KEYS))),
            share(row).to(link_to(inputs[0], 0 if row["model"] == "base" else None)),
        ]
        for row in joined.iter_rows(named=True)
    ]
    note = ""
    if not any(one.probed for one in inputs):
        note = (
            "Forced formats and lower temperatures are measured by the probe stage, which this study does "
            "not have. `probe: {}` in the recipe adds it."
        )
    elif any("forced" in one.probed for one in inputs):
        note = (
            "The best format is chosen on one half of the problems and measured on the other. Completions of "
            "probes are in their own artifact; a click opens the base’s free completions."
        )
    columns = ["Method", "Accuracy with 95% interval"]
    return PageTable("training_free", "How much of the gain needs no training?", columns, rows, note)
