"""How often does each trait hold, and how accurate are completions with and without it?"""

from collections.abc import Sequence

from ...stats.traits import QUANTITIES
from ..averages import at, average_rows
from ..page_table import Cell, PageTable, both_ends, share
from ..run_inputs import RunInputs
from ..study_folder import JsonObject

LABELS = dict(zip(QUANTITIES, ("Rate", "Accuracy with", "Accuracy without"), strict=True))


def trait_estimates(inputs: Sequence[RunInputs], problem_set: str) -> tuple[JsonObject, JsonObject] | None:
    """Scores of the base and of the last checkpoint, averaged over seeds; None where some run lacks one."""
    ends = []
    for step_of in (lambda one: 0, lambda one: one.last):
        rows = [_row(one, problem_set, step_of(one)) for one in inputs]
        known = [row for row in rows if row is not None and row.get("traits")]
        if not known or len(known) < len(inputs):
            return None
        ends.append(average_rows(known))
    return ends[0], ends[1]


def _row(one: RunInputs, problem_set: str, step: int) -> JsonObject | None:
    rows = (row for row in one.run.rows if row.get("problem_set") == problem_set and row["step"] == step)
    return next(rows, None)


def traits_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """Rate of each tracked trait before and after, and accuracy with and without it."""
    found = trait_estimates(inputs, problem_set) if all(one.last for one in inputs) else None
    if found is None:
        return None
    rows = [
        [
            Cell(name),
            *(
                _cell(row, name, quantity).to(both_ends(inputs[0])[last])
                for quantity in QUANTITIES
                for last, row in zip((False, True), found, strict=True)
            ),
        ]
        for name in dict.fromkeys([*found[0]["traits"], *found[1]["traits"]])
    ]
    columns = ["Trait", *(f"{label}, {end}" for label in LABELS.values() for end in ("base", "after RL"))]
    note = (
        "Traits may overlap: several may hold for one completion, so rates do not add up to 100%. Accuracy "
        "with and without: over the sampled completions that have the trait and those that do not. The "
        "difference is no effect of the trait, since harder problems may call for it. A click leads to all "
        "completions of the checkpoint."
    )
    question = "How often does each trait hold, and how accurate are completions with and without it?"
    return PageTable("traits", question, columns, rows, note)


def _cell(row: JsonObject, name: str, quantity: str) -> Cell:
    low, high = at(row, ("intervals", "traits", name, quantity)) or (None, None)
    return share({"value": at(row, ("traits", name, quantity)), "low": low, "high": high})
