"""What did a simulation from the base alone say, before RL?

The stage `forecast` simulates the arm on the base's completions. This table puts that beside the outcome.
"""

from collections.abc import Sequence

from ...core.formats import OTHER
from ..averages import at
from ..number_text import bounds, percent
from ..page_table import NOT_ESTIMABLE, Cell, PageTable, share
from ..run_inputs import RunInputs
from ..stored_files import SimulatedForecast, SimulatedRange
from ..study_folder import JsonObject

COLUMNS = [
    "",
    "forecast winner",
    "it won",
    "its share, forecast",
    "its share after RL",
    "accuracy, forecast",
    "accuracy after RL",
]
ALL_RUNS = 19
"""From so many simulated runs on, the interval holds 90% of them; of fewer it holds all."""


def simulated_forecast_table(inputs: Sequence[RunInputs], problem_set: str) -> PageTable | None:
    """One row per seed whose base was forecast; None where no run of the group was.

    Outcomes are those on the arm's own problem set, whichever set the page shows first.
    """
    known = [(one, one.forecast) for one in inputs if one.forecast is not None]
    made = [(one, found) for one, found in known if found.win_probability]
    if not made:
        return None
    runs = made[0][1].runs
    held = "90% of" if runs >= ALL_RUNS else "all"
    notes = [f"{runs} simulated runs. In brackets after a forecast: the range of {held} of them."]
    notes += made[0][1].warnings
    notes += sorted({found.reason for _, found in known if found.reason})
    return PageTable(
        "simulated_forecast",
        "What did a simulation from the base alone say?",
        COLUMNS,
        [_row(one, found) for one, found in made],
        " ".join(notes),
    )


def _row(one: RunInputs, found: SimulatedForecast) -> list[Cell]:
    best = max(found.win_probability, key=lambda name: found.win_probability[name])
    last = _final(one, found.problem_set)
    shares = {name: at(last, ("formats", name, "share")) or 0.0 for name in at(last, ("formats",)) or {}}
    known = {name: share for name, share in shares.items() if name != OTHER}
    won = max(known, key=lambda name: known[name]) == best if known else None
    return [
        Cell(f"seed {one.run.seed}"),
        Cell(best, f"wins with {percent(found.win_probability[best])}"),
        NOT_ESTIMABLE if won is None else Cell("yes" if won else "no"),
        _range(found.final_shares.get(best)),
        _measured(last, ("formats", best, "share")),
        _range(found.accuracy_after),
        _measured(last, ("accuracy",)),
    ]


def _final(one: RunInputs, problem_set: str) -> JsonObject | None:
    """Scores of the last checkpoint; None where it is not evaluated."""
    rows = [row for row in one.run.rows if row.get("problem_set") == problem_set and row["step"] > 0]
    return max(rows, key=lambda row: int(row["step"]), default=None)


def _range(found: SimulatedRange | None) -> Cell:
    return NOT_ESTIMABLE if found is None else Cell(percent(found.value), bounds([found.low, found.high]))


def _measured(row: JsonObject | None, path: tuple[str, ...]) -> Cell:
    low, high = at(row, ("intervals", *path)) or (None, None)
    return share({"value": at(row, path), "low": low, "high": high})
