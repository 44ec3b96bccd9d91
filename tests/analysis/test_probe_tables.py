"""Analyses that use a probe, coverage and costs, on data whose answer is known."""

import polars as pl
import pytest

from echochamber.analysis.completion_counts import counts, forced_counts
from echochamber.analysis.questions.coverage import coverage_precision
from echochamber.analysis.questions.estimates import over_seeds
from echochamber.analysis.questions.forecasters import ForecastId
from echochamber.analysis.questions.forecasts import forecast_id, forecast_table
from echochamber.analysis.questions.format_costs import cost_estimates
from echochamber.analysis.questions.likelihood import likelihood_changes
from echochamber.analysis.questions.score_changes import paired_gains
from echochamber.analysis.questions.selection_or_skill import selection_or_skill
from echochamber.analysis.questions.training_free import (
    KEYS,
    forced_accuracies,
    method_label,
    temperature_accuracies,
)

from .test_tables import FORMATS, completions, problem_rows, written


def forced(
    step: int, problem: str, name: str, num: int, right: int, kept: bool = True
) -> list[dict[str, object]]:
    rows = written(step, problem, name if kept else "other", num, right)
    return [
        row
        | {"forced_format": name, "outcome": "correct" if row["correct"] else "wrong", "problem_set": "easy"}
        for row in rows
    ]


def label(row: dict[str, str]) -> str:
    """A row of `training_free` in words."""
    return method_label(*(row[name] for name in KEYS))


def lazy(rows: list[dict[str, object]]) -> pl.LazyFrame:
    return pl.DataFrame(rows).lazy()


@pytest.fixture
def free() -> pl.LazyFrame:
    """tinygsm (2 of 8 right) and omi1 (6 of 8), then all omi1 (12 of 16).

    Selection alone, tinygsm dies out.
    """
    rows = []
    for p in "abcd":
        rows += written(0, p, "tinygsm", 8, 2) + written(0, p, "omi1", 8, 6) + written(5, p, "omi1", 16, 12)
    return completions(rows)


def test_forced_decoding_closes_the_range_of_a_format_that_died_out(free: pl.LazyFrame) -> None:
    """Forced after RL, tinygsm is right half of the time: skill gained 0.25 on half of the completions.

    It is not written any more, so the interaction takes that back.
    """
    probed = forced_counts(lazy([row for p in "abcd" for row in forced(5, p, "tinygsm", 4, 2)]), "easy")
    table = selection_or_skill(counts(free, "easy", [0, 5]), 5, FORMATS, probed)
    parts = {row["part"]: row for row in table.to_dicts()}
    assert parts["gain"]["value"] == pytest.approx(0.25)
    assert parts["choice_at_base_skill"]["value"] == pytest.approx(0.25)
    assert parts["skill_at_base_shares"]["value"] == pytest.approx(0.125)
    assert parts["interaction"]["value"] == pytest.approx(-0.125)
    assert all(part["at_least"] == pytest.approx(part["at_most"]) for part in parts.values())


def test_forced_completions_that_left_the_format_say_nothing_of_it() -> None:
    rows = forced(5, "a", "tinygsm", 4, 4, kept=False) + forced(5, "a", "omi1", 4, 1)
    assert forced_counts(lazy(rows), "easy").select("format", "num", "right").rows() == [("omi1", 4, 1)]


def test_forecasts_from_forced_accuracies_can_name_another_winner(free: pl.LazyFrame) -> None:
    rows = [row for p in "abcd" for row in forced(0, p, "tinygsm", 4, 4) + forced(0, p, "omi1", 4, 0)]
    table = forecast_table(
        counts(free, "easy", [0, 5]),
        5,
        FORMATS,
        1.0,
        bandit_seeds=3,
        forced=forced_counts(lazy(rows), "easy"),
    )
    winners = {forecast_id(row): row["winner"] for row in table.to_dicts()}
    assert winners[ForecastId("most_accurate")] == "omi1"
    assert winners[ForecastId("most_accurate", "", "forced")] == "tinygsm"
    assert winners[ForecastId("kl_optimum", "1", "forced")] == "tinygsm"
    for row in table.to_dicts():
        for score in ("share", "total_variation", "brier"):
            if score == "share" and row["share_low"] is None:
                assert row["share"] == pytest.approx(1.0)  # all on one format by construction
            else:
                assert row[f"{score}_low"] <= row[score] <= row[f"{score}_high"]


def test_best_forced_format_is_chosen_and_measured_on_different_problems() -> None:
    """Two formats that are right on opposite problems at random: the honest best is no better than either."""
    rows = []
    for i in range(40):
        rows += (
            forced(0, f"p{i}", "tinygsm", 2, 2 * (i % 2))
            + forced(0, f"p{i}", "omi1", 2, 2 - 2 * (i % 2))
            + forced(0, f"p{i}", "omi2", 2, 0)
        )
    found = {label(row): row for row in forced_accuracies(lazy(rows), "easy").to_dicts()}
    assert found["base, tinygsm forced"]["value"] == pytest.approx(0.5)
    assert found["base, omi2 forced"]["value"] == 0.0
    assert 0.2 < found["base, best format forced"]["value"] < 0.8
    better = [
        row
        for i in range(40)
        for row in forced(0, f"p{i}", "tinygsm", 2, 2) + forced(0, f"p{i}", "omi1", 2, 1)
    ]
    found = {label(row): row["value"] for row in forced_accuracies(lazy(better), "easy").to_dicts()}
    assert found["base, best format forced"] == 1.0


def test_temperatures_are_those_of_the_base_without_greedy() -> None:
    rows = [
        row | {"temperature": temperature, "problem_set": "easy", "outcome": "wrong", "sample": sample}
        for temperature, right, sample in ((0.0, 1, -1), (0.3, 3, 0), (1.0, 1, 0))
        for problem in "ab"
        for row in written(0, problem, "omi1", 4, right) + written(5, problem, "omi1", 4, 0)
    ]
    found = temperature_accuracies(lazy(rows), "easy")
    assert [(label(row), row["value"]) for row in found.to_dicts()] == [
        ("base, temperature 0.3", 0.75),
        ("base, temperature 1", 0.25),
    ]


def test_coverage_times_precision_is_accuracy_and_their_gains_add_up() -> None:
    table = pl.concat([problem_rows(0, [0, 1, 4, 0]), problem_rows(9, [2, 3, 4, 0])])
    found = {
        (row["quantity"], row["side"]): row["value"] for row in coverage_precision(table, "easy").to_dicts()
    }
    assert (found["coverage", "before"], found["coverage", "after"]) == (0.5, 0.75)
    assert (found["precision", "before"], found["precision", "after"]) == pytest.approx((5 / 8, 9 / 12))
    assert found["coverage", "gain"] + found["precision", "gain"] == pytest.approx((9 - 5) / 16)
    assert found["coverage", "gain"] == pytest.approx(0.25 * (5 / 8 + 9 / 12) / 2)


def test_a_coverage_that_nothing_moved_is_not_certain() -> None:
    table = pl.concat([problem_rows(0, [1, 2, 4, 3]), problem_rows(9, [2, 3, 4, 4])])
    part = coverage_precision(table, "easy").filter(quantity="coverage", side="gain").row(0, named=True)
    assert part["value"] == 0
    assert part["low"] < -0.1
    assert part["high"] > 0.1


def test_coverage_of_nothing_is_empty() -> None:
    assert coverage_precision(problem_rows(0, [1, 2]), "easy").is_empty()


def test_likelihoods_by_hand() -> None:
    rows = [
        {
            "problem_set": "easy",
            "problem_id": p,
            "writer": "checkpoint",
            "num_tokens": 10,
            "logprob": -10.0,
            "logprob_reference": low,
            "logprobs": [-1.0] * 10,
            "logprobs_reference": [-5.0] * 2 + [-1.0] * 8,
        }
        for p, low in (("a", -18.0), ("b", -20.0))
    ]
    found = {row["quantity"]: row for row in likelihood_changes(lazy(rows), "easy").to_dicts()}
    assert found["logprob_base"]["value"] == -19.0
    assert found["token_logprob_rl"]["value"] == -1.0
    assert found["moved_early"]["value"] == pytest.approx(2 / 8)
    assert found["moved_late"]["value"] == 0.0
    assert found["moved_late"]["low"] == 0.0
    assert all(row["low"] <= row["value"] <= row["high"] for row in found.values())


def test_costs_scale_to_a_training_step(free: pl.LazyFrame) -> None:
    filled = free.with_columns(truncated=pl.col("format") == "tinygsm")
    found = {
        (r["step"], r["format"], r["quantity"]): r
        for r in cost_estimates(filled, "easy", (0, 5), 256).to_dicts()
    }
    assert found[0, "tinygsm", "samples"]["value"] == 128.0
    assert found[0, "tinygsm", "truncated"]["value"] == 1.0
    assert found[5, "omi1", "tokens"]["value"] == 10.0
    assert (5, "tinygsm", "tokens") not in found
    assert all(row["low"] <= row["value"] <= row["high"] for row in found.values())


def test_both_ends_of_a_gain_carry_intervals() -> None:
    for row in paired_gains(
        pl.concat([problem_rows(0, [0, 1, 4, 4]), problem_rows(9, [2, 3, 4, 0])])
    ).to_dicts():
        assert row["before_low"] <= row["before"] <= row["before_high"]
        assert row["after_low"] <= row["after"] <= row["after_high"]


def test_shares_over_seeds_stay_within_zero_and_one() -> None:
    tables = [pl.DataFrame({"k": [1], "value": [v], "low": [v], "high": [v]}) for v in (0.95, 1.0, 0.99)]
    assert over_seeds(tables, ["k"])["high"][0] > 1
    assert over_seeds(tables, ["k"], clip=(0, 1))["high"][0] <= 1
