"""The forecast of an arm beside its outcome, as a table of the page."""

import pytest

from echochamber.analysis.questions.simulated_forecast import simulated_forecast_table
from echochamber.analysis.run_inputs import RunInputs
from echochamber.analysis.runs import Run
from echochamber.analysis.stored_files import SimulatedForecast

RANGE = {"value": 0.9, "low": 0.8, "high": 0.95}
MADE = {
    "problem_set": "s",
    "runs": 8,
    "win_probability": {"a": 0.75, "b": 0.25},
    "final_shares": {"a": RANGE, "b": {"value": 0.1, "low": 0.05, "high": 0.2}},
    "accuracy_after": {"value": 0.6, "low": 0.5, "high": 0.7},
    "warnings": ["This forecast has no track record."],
}


def _row(step, a, other_set=False):
    shares = {"a": {"share": a}, "b": {"share": 0.9 - a}, "other": {"share": 0.1}}
    intervals = {"accuracy": [0.5, 0.6], "formats": {"a": {"share": [a - 0.05, a + 0.05]}}}
    return {
        "problem_set": "t" if other_set else "s",
        "step": step,
        "accuracy": 0.55,
        "formats": shares,
        "intervals": intervals,
    }


def _inputs(rows, forecast, seed=0):
    run = Run("m", "size", "grpo", seed, None, None, rows=rows)
    found = SimulatedForecast.read(forecast) if forecast is not None else None
    return RunInputs(run, 4, ["a", "b"], None, None, None, forecast=found)


def test_forecast_and_outcome_stand_side_by_side():
    table = simulated_forecast_table([_inputs([_row(0, 0.3), _row(4, 0.7)], MADE)], "s")
    assert [cell.value for cell in table.rows[0]] == ["seed 0", "a", "yes", "90%", "70%", "60%", "55%"]
    assert table.rows[0][1].interval == "wins with 75%"
    assert table.rows[0][3].interval == "80–95%"
    assert table.note.startswith("8 simulated runs. In brackets after a forecast: the range of all of them.")
    assert "no track record" in table.note


@pytest.mark.parametrize(("share", "won"), [(0.7, "yes"), (0.2, "no")])
def test_it_says_whether_the_winner_was_right(share, won):
    table = simulated_forecast_table([_inputs([_row(4, share)], MADE)], "s")
    assert table.rows[0][2].value == won


def test_the_outcome_is_that_of_the_arms_own_problem_set():
    rows = [_row(4, 0.2, other_set=True), _row(4, 0.7)]
    table = simulated_forecast_table([_inputs(rows, MADE)], "t")
    assert table.rows[0][4].value == "70%"


def test_before_the_end_is_evaluated_there_is_no_outcome():
    table = simulated_forecast_table([_inputs([_row(0, 0.3)], MADE)], "s")
    assert [cell.known for cell in table.rows[0]] == [True, True, False, True, False, True, False]


def test_a_seed_that_could_not_be_forecast_is_named_in_the_note():
    reason = "s: none of 40 completions is right"
    seeds = [_inputs([_row(4, 0.7)], MADE), _inputs([_row(4, 0.7)], {"reason": reason}, seed=1)]
    table = simulated_forecast_table(seeds, "s")
    assert len(table.rows) == 1
    assert reason in table.note


def test_without_any_forecast_there_is_no_table():
    assert simulated_forecast_table([_inputs([_row(4, 0.7)], None)], "s") is None
    assert simulated_forecast_table([_inputs([_row(4, 0.7)], {"reason": "why"})], "s") is None
