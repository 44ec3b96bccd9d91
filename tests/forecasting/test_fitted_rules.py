"""Naive rules become probabilities by one number fitted on other runs."""

import numpy as np
import pytest

from echochamber.forecasting.behaviour_table import BehaviourTable
from echochamber.forecasting.fitted_rules import (
    RULES,
    STEEPEST,
    FittedRule,
    SeenRun,
    base_rate,
    base_rate_probabilities,
    fit_rule,
)


def _run(num, right, winner, tokens=(20.0, 30.0, 40.0)):
    names = ("a", "b", "c")[: len(num)]
    table = BehaviourTable(
        ("p",),
        names,
        np.array([num], dtype=float),
        np.array([right], dtype=float),
        np.array([[t, t] for t in tokens[: len(num)]]),
        np.ones(len(num), dtype=int),
        np.ones(len(num)),
    )
    return SeenRun(table, names, winner)


def test_each_rule_ranks_by_what_it_is_named_after():
    run = _run([60, 30, 10], [12, 21, 9], "a")
    best = {name: run.behaviours[int(run.scores(rule).argmax())] for name, rule in RULES.items()}
    assert best == {
        "most_frequent": "a",
        "most_accurate": "c",
        "shortest": "a",
        "most_frequent_correct": "b",
    }


def test_steepness_is_recovered_from_winners_drawn_with_it():
    stream = np.random.default_rng(0)
    truth, runs = FittedRule("most_frequent", 1.5), []
    for _ in range(800):
        run = _run((stream.dirichlet(np.ones(3)) * 900 + 30).round(), [1, 1, 1], "a")
        p = truth.probabilities(run)
        runs.append(SeenRun(run.table, run.behaviours, str(stream.choice(list(p), p=list(p.values())))))
    assert fit_rule("most_frequent", runs).steepness == pytest.approx(1.5, abs=0.2)


def test_a_rule_that_is_never_right_is_not_used_and_one_that_always_is_stays_finite():
    wrong = [_run([60, 30, 10], [6, 3, 9], "c") for _ in range(5)]
    assert fit_rule("most_frequent", wrong).steepness == pytest.approx(0.0, abs=1e-6)
    right = fit_rule("most_accurate", wrong)
    assert 10 < right.steepness <= STEEPEST
    assert right.probabilities(wrong[0])["c"] > 0.99
    with pytest.raises(ValueError, match="no run"):
        fit_rule("shortest", [])


def test_one_upset_among_many_runs_does_not_make_a_rule_certain():
    """A behaviour that is never right wins once: its log share of correct answers is far below the rest."""
    usual = [_run([60, 30], [30, 3], "a" if i % 3 else "b") for i in range(20)]
    fitted = fit_rule("most_frequent_correct", [*usual, _run([60, 30], [30, 0], "b")])
    assert 0 < fitted.steepness < 2


def test_the_base_rate_is_that_of_a_frequency_rank():
    runs = [_run([60, 30], [1, 1], "a"), _run([20, 70], [1, 1], "b"), _run([60, 30], [1, 1], "b")]
    rates = base_rate(runs)
    assert rates == {2: [pytest.approx(3 / 5), pytest.approx(2 / 5)]}
    assert base_rate_probabilities(_run([20, 70], [1, 1], "a"), rates) == {
        "b": pytest.approx(3 / 5),
        "a": pytest.approx(2 / 5),
    }
    assert base_rate_probabilities(_run([20, 70, 5], [1, 1, 1], "a"), rates)["c"] == pytest.approx(1 / 3)
