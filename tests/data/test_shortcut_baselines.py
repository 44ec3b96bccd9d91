"""Shortcut baselines: what can be solved without reading the story; seeded, with intervals."""

import pytest

from echochamber.core.types import Problem
from echochamber.data.shortcut_baselines import (
    best_fixed_expression,
    masked,
    nearest_question_score,
    numbers_in,
)
from echochamber.data.world import WorldConfig, draw_problem


def problem(question: str, reference: object, difficulty: int = 1) -> Problem:
    return Problem(id=question, question=question, reference=str(reference), difficulty=difficulty)


def test_numbers_are_found_in_figures_and_words() -> None:
    assert numbers_in("Twelve pens cost $3.50; nine hundred and five cost 20% more.") == [
        12.0,
        3.5,
        905.0,
        20.0,
    ]
    assert numbers_in("No number here") == []


def test_the_best_expression_is_found() -> None:
    rows = [
        problem(f"{a} then {b} then {c}", a * b - c) for a in range(2, 6) for b in range(3, 7) for c in (1, 2)
    ]
    best = best_fixed_expression(rows)
    assert best.signs[3] == ("*", "-")
    assert best.score(rows) == 1.0
    assert best.score([problem("5 then 6", 11)]) == 0.0


def test_reversed_and_skipped_numbers_are_tried() -> None:
    rows = [problem(f"{a}, {b}, {c}", c - a) for a in (2, 3, 5) for b in (7, 11) for c in (20, 31)]
    assert best_fixed_expression(rows).score(rows) == 1.0


def test_the_nearest_question_is_the_one_with_the_same_words() -> None:
    train = [problem("Mia has 3 pens. How many?", 3), problem("A tank holds 9 liters. How much?", 9)]
    asked = [problem("A tank holds 12 liters. How much?", 9), problem("Mia has 5 pens. How many?", 4)]
    assert masked("Mia has twenty-one pens") == ["mia", "has", "#", "pens"]
    assert nearest_question_score(train, asked) == 0.5


@pytest.mark.medium
def test_the_world_cannot_be_solved_by_shortcuts() -> None:
    config = WorldConfig()
    train = [draw_problem(config, 0, "train", index) for index in range(1500)]
    asked = [draw_problem(config, 1, "train", index) for index in range(500)]
    sets = {
        f"{low} to {high}": [p for p in asked if low <= p.difficulty <= high]
        for low, high in ((3, 4), (5, 8))
    }
    for problems in sets.values():
        levels = {problem.difficulty for problem in problems}
        fit = [problem for problem in train if problem.difficulty in levels]
        assert best_fixed_expression(fit).score(problems) < 0.2
        assert nearest_question_score(train, problems) < 0.1
