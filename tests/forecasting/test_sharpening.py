"""Slopes of skill, from pairs of answers that agree, worked out by hand."""

import numpy as np
import polars as pl
import pytest

from echochamber.forecasting.sharpening import PRIOR, PRIOR_PAIRS, sharpening


def _rows(answers, problem="p"):
    """Completions of one problem; "9" is right, None is no answer."""
    return pl.DataFrame(
        [{"problem_id": problem, "answer": answer, "correct": answer == "9"} for answer in answers],
        schema={"problem_id": pl.String, "answer": pl.String, "correct": pl.Boolean},
    )


def _odds(share):
    return np.log(share / (1 - share))


def test_the_slope_is_that_of_pairs_which_agree():
    # 6 right: 15 pairs. 4 equal wrong ones: 6 pairs. 2 single wrong ones: none. 12 completions.
    rows = _rows(["9"] * 6 + ["1"] * 4 + ["2", "3"])
    slope = _odds(15 / 21) - _odds(6 / 12)
    assert sharpening(rows) == pytest.approx((21 * slope + PRIOR_PAIRS * PRIOR) / (21 + PRIOR_PAIRS))


def test_scattered_errors_have_a_steeper_slope_than_one_error():
    scattered = _rows(["9"] * 20 + [str(100 + i) for i in range(30)])
    same = _rows(["9"] * 20 + ["1"] * 30)
    assert sharpening(scattered) > 3
    assert sharpening(same) < 0.5


def test_pairs_are_of_one_problem_and_no_answer_agrees_with_none():
    apart = pl.concat([_rows(["1"], f"p{i}") for i in range(30)] + [_rows(["9"] * 4)])
    assert sharpening(apart) == sharpening(pl.concat([_rows([None] * 30), _rows(["9"] * 4)]))


def test_nothing_known_is_a_slope_of_one_and_no_slope_is_negative():
    assert sharpening(_rows(["1", "2", "9"])) == PRIOR
    assert sharpening(_rows([])) == PRIOR
    # Right once in each of 40 problems, whose wrong answers always agree.
    wrong = pl.concat([_rows(["9", *["1"] * 9], f"p{i}") for i in range(40)])
    assert sharpening(wrong) == 0.0
