"""Each analysis on data whose answer is known."""

import math

import numpy as np
import polars as pl
import pytest

from echochamber.analysis.completion_counts import counts
from echochamber.analysis.questions.chance_floor import pass_variants
from echochamber.analysis.questions.estimates import over_seeds
from echochamber.analysis.questions.first_errors import flip_errors
from echochamber.analysis.questions.forecasters import ForecastId
from echochamber.analysis.questions.forecasts import OBSERVED, forecast_id, forecast_table
from echochamber.analysis.questions.format_costs import format_costs
from echochamber.analysis.questions.format_dynamics import first_steps, format_dynamics
from echochamber.analysis.questions.format_style import style_changes, style_shares
from echochamber.analysis.questions.paper_scorer import two_scorers
from echochamber.analysis.questions.score_changes import paired_gains
from echochamber.analysis.questions.selection_or_skill import selection_or_skill
from echochamber.analysis.questions.support import support
from echochamber.analysis.questions.training_free import KEYS, method_label, no_training
from echochamber.core.records import RECORD_SCHEMA
from echochamber.stats.pass_at_k import pass_at_k

FORMATS = ["tinygsm", "omi1"]


def completions(rows: list[dict[str, object]]) -> pl.LazyFrame:
    """Records with the named columns filled and the rest null."""
    blank = {"problem_set": "easy", "sample": 0}
    filled = [dict.fromkeys(RECORD_SCHEMA) | blank | row for row in rows]
    return pl.DataFrame(filled, schema=RECORD_SCHEMA).lazy()


def written(step: int, problem: str, name: str, num: int, right: int) -> list[dict[str, object]]:
    return [
        {
            "step": step,
            "problem_id": problem,
            "format": name,
            "correct": i < right,
            "sample": i,
            "num_tokens": 10,
        }
        for i in range(num)
    ]


@pytest.fixture
def pure_selection() -> pl.LazyFrame:
    """Four problems; 8 of 16 completions tinygsm (2 of 8 right), 8 omi1 (6 of 8).

    Then all omi1 (12 of 16).
    """
    rows = []
    for p in "abcd":
        rows += written(0, p, "tinygsm", 8, 2) + written(0, p, "omi1", 8, 6) + written(5, p, "omi1", 16, 12)
    return completions(rows)


def test_dynamics_finds_lead_overtaking_and_takeover() -> None:
    dense = [
        {"step": s, "format/tinygsm/share": a, "format/omi1/share": 1 - a}
        for s, a in [(1, 0.7), (2, 0.6), (3, 0.4), (4, 0.05)]
    ]
    table = format_dynamics(dense, [*FORMATS, "other"])
    assert table.filter(step=1)["entropy"][0] == pytest.approx(-(0.7 * math.log(0.7) + 0.3 * math.log(0.3)))
    found = {row["format"]: row for row in first_steps(table).to_dicts()}
    assert set(found) == set(FORMATS)
    assert (
        found["tinygsm"]["leads_at"],
        found["tinygsm"]["overtakes_at"],
        found["tinygsm"]["takes_over_at"],
    ) == (1, None, None)
    assert (found["omi1"]["leads_at"], found["omi1"]["overtakes_at"], found["omi1"]["takes_over_at"]) == (
        3,
        3,
        4,
    )
    assert (found["tinygsm"]["peak_step"], found["omi1"]["last_share"]) == (1, pytest.approx(0.95))


def test_dynamics_of_nothing_is_empty() -> None:
    assert first_steps(format_dynamics([], FORMATS)).is_empty()


def test_costs_count_per_problem(pure_selection: pl.LazyFrame) -> None:
    row = format_costs(pure_selection, "easy").row(0, named=True)
    assert (row["step"], row["format"], row["completions"], row["per_problem"], row["tokens"]) == (
        0,
        "omi1",
        32,
        8.0,
        10.0,
    )


def test_style_shares_are_within_the_format() -> None:
    base = completions(written(0, "a", "tinygsm", 4, 0)).with_columns(
        style_docstring=pl.Series(["yes", "no", "no", None])
    )
    table = style_shares(base, "easy")
    assert table.select("feature", "value", "completions").rows() == [
        ("docstring", "no", 2),
        ("docstring", "yes", 1),
    ]
    assert table["share"].to_list() == pytest.approx([2 / 3, 1 / 3])


def test_pure_selection_is_found_and_bounded(pure_selection: pl.LazyFrame) -> None:
    """Gain 0.25, all by choice. tinygsm died out from a half at 0.25 right; skill is bounded."""
    parts = {
        row["part"]: row
        for row in selection_or_skill(counts(pure_selection, "easy", [0, 5]), 5, FORMATS).to_dicts()
    }
    assert parts["gain"]["value"] == pytest.approx(0.25)
    assert parts["choice_at_base_skill"]["value"] == pytest.approx(0.25)
    assert parts["choice_at_base_skill"]["at_least"] == parts["choice_at_base_skill"]["at_most"]
    skill, interaction = parts["skill_at_base_shares"], parts["interaction"]
    assert (skill["value"], interaction["value"]) == pytest.approx((0.0, 0.0))
    assert (skill["at_least"], skill["at_most"]) == pytest.approx((-0.125, 0.375))
    assert (interaction["at_least"], interaction["at_most"]) == pytest.approx((-0.375, 0.125))
    assert parts["gain"]["at_least"] == parts["gain"]["at_most"]
    assert skill["at_least_low"] <= skill["at_least"]
    assert skill["at_most_high"] >= skill["at_most"]


def test_forecasts_score_what_happened_as_perfect(pure_selection: pl.LazyFrame) -> None:
    table = forecast_table(counts(pure_selection, "easy", [0, 5]), 5, FORMATS, kl_weight=1.0, bandit_seeds=3)
    rows = {forecast_id(row): row for row in table.to_dicts()}
    assert rows[OBSERVED]["brier"] == 0.0
    assert rows[ForecastId("most_accurate")]["hit"]
    constant = rows[ForecastId("constant", "tinygsm")]
    assert constant["brier"] == pytest.approx(2.0)
    tilt = [1 - p + p * math.e for p in (0.25, 0.75)]
    assert rows[ForecastId("kl_optimum", "1")]["share"] == pytest.approx(tilt[1] / sum(tilt))
    assert constant["share_low"] is None  # by construction, whatever the data
    null = rows[ForecastId("bandit")]
    assert null["share_low"] <= null["share"] <= null["share_high"]


def test_one_lucky_completion_makes_no_most_accurate_format() -> None:
    """A format in 1 of 400 completions, which happened to be right, would lead every ranking."""
    rows = [
        row
        for i in range(4)
        for row in written(0, f"p{i}", "tinygsm", 60, 30) + written(0, f"p{i}", "omi1", 39 if i else 40, 10)
    ]
    rows += [row for i in range(4) for row in written(0, f"p{i}", "gsm8k", 1 if i == 0 else 0, 1)]
    rows += [row for i in range(4) for row in written(5, f"p{i}", "tinygsm", 100, 80)]
    table = forecast_table(
        counts(completions(rows), "easy", [0, 5]), 5, [*FORMATS, "gsm8k"], kl_weight=None, bandit_seeds=2
    )
    winners = {forecast_id(row): row["winner"] for row in table.to_dicts()}
    assert winners[ForecastId("most_accurate")] == winners[ForecastId("replicator")] == "tinygsm"
    # Forcing other formats says nothing of it; forced itself it is as well known as they are.
    for forms, best in ((FORMATS, "tinygsm"), ([*FORMATS, "gsm8k"], "gsm8k")):
        right = {"tinygsm": 20, "omi1": 10, "gsm8k": 30}
        forced = pl.DataFrame(
            [
                {"step": 0, "problem_id": f"p{i}", "format": form, "num": 40, "right": right[form]}
                for i in range(4)
                for form in forms
            ]
        )
        table = forecast_table(
            counts(completions(rows), "easy", [0, 5]),
            5,
            [*FORMATS, "gsm8k"],
            kl_weight=None,
            bandit_seeds=2,
            forced=forced,
        )
        winners = {forecast_id(row): row["winner"] for row in table.to_dicts()}
        assert winners[ForecastId("most_accurate", "", "forced")] == best


def problem_rows(step: int, rights: list[int], num: int = 4, problem_set: str = "easy") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "problem_set": problem_set,
            "step": step,
            "problem_id": [f"p{i}" for i in range(len(rights))],
            "num_samples": num,
            "num_correct": rights,
            "greedy_correct": [r > 2 for r in rights],
            "pass@1": [r / num for r in rights],
            "pass@4": [float(r > 0) for r in rights],
        }
    )


def test_gains_pair_the_same_problems_in_every_set() -> None:
    table = pl.concat(
        [
            problem_rows(0, [0, 1, 4, 4]),
            problem_rows(9, [2, 3, 4, 0]),
            problem_rows(3, [4, 4, 4, 4]),
            problem_rows(0, [1, 1], problem_set="hard"),
            problem_rows(9, [3, 3], problem_set="hard"),
        ]
    )
    rows = {(row["problem_set"], row["quantity"]): row for row in paired_gains(table).to_dicts()}
    assert rows["easy", "accuracy"]["value"] == pytest.approx(0.0)
    assert rows["easy", "accuracy"]["low"] < 0 < rows["easy", "accuracy"]["high"]
    assert (rows["hard", "accuracy"]["before"], rows["hard", "accuracy"]["after"]) == (0.25, 0.75)
    assert rows["easy", "greedy_accuracy"]["value"] == pytest.approx(0.0)


def outcomes(step: int, rights: list[list[int]]) -> list[dict[str, object]]:
    """Completions of problems p0, p1 ... whose sample i is right where the list says 1."""
    return [
        {
            "step": step,
            "problem_id": f"p{p}",
            "sample": i,
            "correct": bool(right),
            "format": "omi1",
            "outcome": "correct" if right else "wrong",
        }
        for p, row in enumerate(rights)
        for i, right in enumerate(row)
    ]


def test_support_kinds_add_up() -> None:
    rows = outcomes(0, [[0, 0, 0, 0], [1, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    rows += outcomes(9, [[1, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = support(completions(rows), "easy", 9).filter(k=2)
    assert dict(zip(found["kind"], found["value"], strict=True)) == {
        "kept": 0.25,
        "gained": 0.25,
        "lost": 0.25,
        "never": 0.25,
    }
    assert found["k"].max() == 2
    assert support(completions(outcomes(0, [[0, 1], [1, 1]])), "easy", 0).is_empty()


@pytest.mark.parametrize("common", [True, False])
def test_support_is_unbiased_under_common_random_numbers(common: bool) -> None:
    """A policy that RL did not change.

    Gained is E[(1 - s) s], s = 1 - (1 - p)^k, whether or not both draw the same numbers.
    """
    stream, rows, k = np.random.default_rng(0), [], 2
    chances = stream.beta(0.5, 1.0, 3000)
    draws = stream.random((2, 3000, 8))
    for step, numbers in ((0, draws[0]), (9, draws[0 if common else 1])):
        rows += outcomes(step, (numbers < chances[:, None]).astype(int).tolist())
    solved = 1 - (1 - chances) ** k
    found = support(completions(rows), "easy", 9).filter(k=k)
    truth = {
        "kept": solved**2,
        "gained": (1 - solved) * solved,
        "lost": (1 - solved) * solved,
        "never": (1 - solved) ** 2,
    }
    for row in found.iter_rows(named=True):
        assert row["value"] == pytest.approx(float(truth[row["kind"]].mean()), abs=0.012)


def test_k_that_one_side_lacks_is_left_out() -> None:
    table = pl.concat(
        [
            problem_rows(0, [0, 1]),
            problem_rows(9, [2, 3]).with_columns(pl.lit(None, dtype=pl.Float64).alias("pass@4")),
        ]
    )
    assert paired_gains(table)["quantity"].to_list() == ["accuracy", "greedy_accuracy", "pass@1"]


def test_flips_count_both_directions() -> None:
    def greedy(step: int, problem: str, correct: bool, error: str) -> dict[str, object]:
        return {"step": step, "problem_id": problem, "correct": correct, "first_error": error, "sample": -1}

    rows = [
        greedy(0, "a", False, "arithmetic"),
        greedy(4, "a", True, ""),
        greedy(0, "b", False, "wrong_operation"),
        greedy(4, "b", True, ""),
    ]
    rows += [
        greedy(0, "c", False, "arithmetic"),
        greedy(4, "c", True, ""),
        greedy(0, "d", True, ""),
        greedy(4, "d", False, "missing_step"),
    ]
    rows += [greedy(0, "e", False, "arithmetic"), greedy(4, "e", False, "arithmetic")]
    table = flip_errors(completions(rows), "easy", 4)
    assert table.select("flip", "first_error", "count").rows() == [
        ("gained", "arithmetic", 2),
        ("gained", "wrong_operation", 1),
        ("lost", "missing_step", 1),
    ]
    assert table["value"].to_list() == pytest.approx([2 / 3, 1 / 3, 1.0])


def test_two_scorers_side_by_side_or_not_at_all() -> None:
    rows = [
        row | {"legacy_format": "text", "legacy_correct": True}
        for row in written(0, "a", "omi1", 4, 1) + written(7, "a", "omi1", 4, 4)
    ]
    rows += [row | {"problem_id": "b"} for row in rows]
    table = two_scorers(completions(rows), "easy", (0, 7))
    cells = {(r["step"], r["scorer"], r["quantity"], r["format"]): r["value"] for r in table.to_dicts()}
    assert cells[0, "ours", "accuracy", ""] == 0.25
    assert cells[0, "paper", "accuracy", ""] == 1.0
    assert cells[7, "paper", "format_share", "text"] == 1.0
    assert cells[0, "paper", "format_accuracy", "text"] == 1.0
    assert (cells[0, "ours", "pass@4", ""], cells[0, "paper", "pass@4", ""]) == (1.0, 1.0)
    assert cells[0, "ours", "format_accuracy", "omi1"] == 0.25
    assert two_scorers(completions(written(0, "a", "omi1", 4, 1)), "easy", (0, 7)).is_empty()


def test_over_seeds_uses_student_and_drops_what_a_seed_lacks() -> None:
    tables = [
        pl.DataFrame(
            {"k": [1, 2], "value": [v, None if v > 0.5 else v], "low": [0.0, 0.0], "high": [1.0, 1.0]}
        )
        for v in (0.4, 0.5, 0.6)
    ]
    joined = over_seeds(tables, ["k"])
    assert joined["value"].to_list() == [pytest.approx(0.5), None]
    assert joined["low"][0] == pytest.approx(0.5 - 4.302653 * 0.1 / 3**0.5, abs=1e-6)


def test_guessing_is_told_from_solving() -> None:
    """The base says 7 to everything; problems a and b (7 and 8) swap references, c is alone in its size."""
    rows = []
    for problem, reference in (("a", "7"), ("b", "8"), ("c", "100")):
        for i in range(4):
            right = reference == "7"
            rows.append(
                {
                    "step": 0,
                    "problem_id": problem,
                    "family": "pens",
                    "reference": reference,
                    "answer": "7",
                    "correct": right,
                    "sample": i,
                    "process": "right_steps" if right and i < 2 else "wrong_steps",
                }
            )
    table = pass_variants(completions(rows), "easy", (0,))
    cells = {(r["kind"], r["k"]): r["value"] for r in table.to_dicts()}
    assert cells["answer", 1] == pytest.approx(1 / 3)
    assert cells["steps", 1] == pytest.approx(0.5 / 3)
    assert cells["steps", 4] == pytest.approx(1 / 3)
    assert cells["chance", 1] == pytest.approx(0.5)


def test_chance_floor_is_the_mean_over_all_permutations() -> None:
    """Against a loop over every ordered pair of problems of one kind; `8.0` is 8."""
    stream, rows = np.random.default_rng(3), []
    references = {f"p{i}": (f"f{i % 2}", str(stream.integers(6, 13))) for i in range(12)}
    for problem, (family, reference) in references.items():
        for i in range(4):
            said = [reference, "8", "8.0", str(stream.integers(6, 13)), None][stream.integers(5)]
            rows.append(
                {
                    "step": 0,
                    "problem_id": problem,
                    "family": family,
                    "reference": reference,
                    "sample": i,
                    "answer": said,
                    "correct": False,
                }
            )
    table = pass_variants(completions(rows), "easy", (0,)).filter(kind="chance")
    for k in (1, 2, 4):
        expected = []
        for problem, (family, reference) in references.items():
            others = [
                r
                for p, (f, r) in references.items()
                if p != problem and f == family and len(r) == len(reference)
            ]
            given = [str(row["answer"]).removesuffix(".0") for row in rows if row["problem_id"] == problem]
            if others:
                expected.append(np.mean([pass_at_k(4, given.count(other), k) for other in others]))
        assert table.filter(k=k)["value"][0] == pytest.approx(np.mean(expected))


def test_a_guesser_is_no_better_than_the_chance_floor() -> None:
    """One who says 7 to every question of a kind in which a fifth of the answers are 7."""
    rows = [
        {
            "step": 0,
            "problem_id": f"p{p}",
            "family": "pens",
            "reference": "7" if p % 5 == 0 else str(1 + p % 6),
            "answer": "7",
            "correct": p % 5 == 0,
            "sample": i,
        }
        for p in range(200)
        for i in range(2)
    ]
    values = pass_variants(completions(rows), "easy", (0,)).filter(k=1)
    cells = dict(zip(values["kind"], values["value"], strict=True))
    assert cells["answer"] == pytest.approx(0.2)
    assert cells["chance"] == pytest.approx(0.2, abs=1e-9)


def test_unchecked_process_is_left_out() -> None:
    rows = [row | {"reference": "7", "answer": "7", "process": ""} for row in written(0, "a", "omi1", 4, 4)]
    assert set(pass_variants(completions(rows), "easy", (0,))["kind"]) == {"answer"}


def test_votes_and_greedy_need_no_training() -> None:
    table = pl.concat([problem_rows(0, [3, 1]), problem_rows(9, [4, 4])]).with_columns(
        pl.lit(0.75).alias("maj@4")
    )
    found = no_training(table, "easy")
    labels = [method_label(*(row[name] for name in KEYS)) for row in found.to_dicts()]
    assert dict(zip(labels, found["value"], strict=True)) == {
        "base, one sample": 0.5,
        "base, greedy": 0.5,
        "base, vote of 4": 0.75,
        "after RL, one sample": 1.0,
        "after RL, greedy": 1.0,
        "after RL, vote of 4": 0.75,
    }


def test_style_changes_carry_intervals_and_skip_rare_formats() -> None:
    rows = [
        row for p in "abcdefgh" for step in (0, 5) for row in written(step, p, "tinygsm", 4, 0)
    ] + written(0, "a", "omi1", 4, 0)
    words = ["yes" if row["step"] == 0 else "no" for row in rows]
    table = style_changes(completions(rows).with_columns(style_docstring=pl.Series(words)), "easy", 5)
    cells = {(r["format"], r["word"], r["step"]): (r["value"], r["low"], r["high"]) for r in table.to_dicts()}
    assert cells["tinygsm", "yes", 0][0] == 1.0
    assert cells["tinygsm", "yes", 0][1] > cells["tinygsm", "yes", 5][2]
    assert {key[0] for key in cells} == {"tinygsm"}
