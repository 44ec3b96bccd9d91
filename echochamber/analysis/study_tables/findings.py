"""Analyses that no claim asks for, one row per run and number."""

from collections.abc import Iterator

import polars as pl

from ...core.study_tables import AFTER_RL, BASE, BEYOND, floor_item
from ..questions.chance_floor import pass_variants
from ..questions.coverage import coverage_precision
from ..questions.first_errors import flip_errors
from ..questions.format_costs import format_costs
from ..questions.likelihood import QUANTITIES, likelihood_changes
from ..questions.selection_or_skill import selection_or_skill
from ..questions.support import support
from ..questions.training_free import (
    KEYS,
    forced_accuracies,
    method_label,
    no_training,
    temperature_accuracies,
)
from ..run_inputs import RunInputs, run_inputs
from ..runs import Run, rl_config, rollout_size
from ..stage_files import read_json, scan_table
from ..study_folder import JsonObject, StoredStudy
from .half_floors import half_floors

TEST, HALF_K = "test", 64
"""The split of every finding, and the k of the floors of halves."""
UNCHECKED = "not checked"
"""Name of first errors where the world has no process truth."""
Found = tuple[str, str, float | None]
"""(analysis, item, value)."""


def run_findings(study: StoredStudy, run: Run, chosen: tuple[str, str]) -> Iterator[JsonObject]:
    """Rows of the table `findings` for one finished RL run: analysis, item, value."""
    one = run_inputs(study, run, chosen)
    if not one.last or one.records is None or one.counted is None:
        return
    size = rollout_size(rl_config(study, run.arm))
    found = [*_found(one, chosen, size[0] * size[1])]
    named = ((study.recipe.get("claim_names") or {}).get("sets") or {}).get(BEYOND, BEYOND)
    for label, name in (
        {BEYOND: named} | {name: name for name in _further_sets(study, run, chosen[0])}
    ).items():
        records = _records_on(study, run, name)
        if records is not None:
            found += [(f"floors/{label}", *row) for row in _floors(records, name, one.last)]
    found += half_floors(study, run, HALF_K)
    for analysis, item, value in found:
        if value is not None:
            yield {"analysis": analysis, "item": item, "value": float(value)}


def _further_sets(study: StoredStudy, run: Run, headline: str) -> list[str]:
    """The problem sets that the run was tested on besides the headline's."""
    rows = [row for node in run.further for row in read_json(study, node, "summary.json") or []]
    found = [str(row.get("problem_set")) for row in rows if row.get("split") == TEST]
    return [name for name in dict.fromkeys(found) if name != headline]


def _records_on(study: StoredStudy, run: Run, problem_set: str) -> pl.LazyFrame | None:
    """Test completions on a further problem set, of the run's base and its checkpoints.

    From the first evaluation that has it: the study's own, else one of `also_evaluate`.
    """
    having = [
        node
        for node in [*run.evaluations, *run.further]
        if any(
            (row.get("problem_set"), row.get("split")) == (problem_set, TEST)
            for row in read_json(study, node, "summary.json") or []
        )
    ]
    nodes = [node for node in having if node.evaluation == having[0].evaluation]
    scans = [scan for node in nodes if (scan := scan_table(study, node, "records.parquet")) is not None]
    return (
        pl.concat(scans, how="diagonal").filter(
            pl.col("outcome").ne_missing("infrastructure") & (pl.col("split") == TEST)
        )
        if scans
        else None
    )


def _found(one: RunInputs, chosen: tuple[str, str], samples_per_step: int) -> Iterator[Found]:
    assert one.records is not None
    assert one.counted is not None
    name = chosen[0]
    # What a format that died out could still do is known where a probe forced it; elsewhere it stays bounded.
    split = selection_or_skill(one.counted, one.last, one.formats, one.forced)
    for row in split.iter_rows(named=True):
        bounds = ((", at least", "at_least"), (", at most", "at_most")) if row["part"] != "gain" else ()
        yield from (
            ("selection", row["part"] + label, row[column]) for label, column in (("", "value"), *bounds)
        )
    yield from _from_problems(one, name)
    base = one.run.row(chosen, 0)
    if base is not None:
        yield "baselines", "base, its most accurate format only", _most_accurate(base)
    supported = support(one.records, name, one.last)
    for row in supported.filter(pl.col("k") == pl.col("k").max()).iter_rows(named=True):
        yield "support", f"{row['kind']} within {row['k']}", row["value"]
    yield from (("floors", *row) for row in _floors(one.records, name, one.last))
    for row in flip_errors(one.records, name, one.last).iter_rows(named=True):
        yield "errors", f"{row['flip']}/{row['first_error'] or UNCHECKED}", float(row["count"])
    yield from _costs(one.records, name, samples_per_step)
    yield from _from_probes(one, name)


def _from_probes(one: RunInputs, name: str) -> Iterator[Found]:
    """What a probe measured: formats that are forced, lower temperatures, likelihoods."""
    if "forced" in one.probed:
        for step in (0, one.last):
            rows = forced_accuracies(one.probed["forced"], name, step=step).iter_rows(named=True)
            yield from (("probes", _method(row), row["value"]) for row in rows)
    if "sweep" in one.probed:
        rows = temperature_accuracies(one.probed["sweep"], name).iter_rows(named=True)
        yield from (("probes", _method(row), row["value"]) for row in rows)
    if "likelihood" in one.probed:
        for row in likelihood_changes(one.probed["likelihood"], name).iter_rows(named=True):
            writer = "by the base" if row["writer"] == "base" else "after RL"
            yield (
                "likelihood",
                f"written {writer}: {QUANTITIES[row['quantity']]}",
                row["value"],
            )


def _method(row: JsonObject) -> str:
    return method_label(*(row[name] for name in KEYS))


def _from_problems(one: RunInputs, name: str) -> Iterator[Found]:
    if one.problems is None:
        return
    for row in no_training(one.problems, name).iter_rows(named=True):
        yield "baselines", _method(row), row["value"]
    for row in coverage_precision(one.problems, name).iter_rows(named=True):
        if row["side"] == "gain":
            yield "support", f"gain by {row['quantity']}", row["value"]


def _most_accurate(base: JsonObject, fewest: float = 0.01) -> float | None:
    """Accuracy of the base's most accurate format; formats under 1% of its completions are not ranked."""
    cells = [(name, cell or {}) for name, cell in base["formats"].items() if name != "other"]
    known = [
        cell["accuracy"]
        for _, cell in cells
        if (cell.get("share") or 0.0) >= fewest and cell.get("accuracy") is not None
    ]
    return max(known, default=None)


def _floors(records: pl.LazyFrame, name: str, last: int) -> Iterator[tuple[str, float | None]]:
    """(item, value): pass@k by correct answers, by correct steps too, and by chance, at the largest k."""
    table = pass_variants(records, name, [0, last])
    for row in table.filter(pl.col("k") == pl.col("k").max().over("step", "kind")).iter_rows(named=True):
        end = BASE if row["step"] == 0 else AFTER_RL
        yield floor_item(end, row["kind"], row["k"]), row["value"]


def _costs(records: pl.LazyFrame, name: str, samples_per_step: int) -> Iterator[Found]:
    """At the base: mean tokens, truncated share and expected samples of a training step, per format."""
    costs = format_costs(records, name).filter(pl.col("step") == 0)
    total = max(int(costs["completions"].sum()), 1)
    for row in costs.iter_rows(named=True):
        yield "costs", f"{row['format']}/tokens", row["tokens"]
        yield "costs", f"{row['format']}/truncated", row["truncated"]
        yield "costs", f"{row['format']}/samples_per_step", samples_per_step * row["completions"] / total
