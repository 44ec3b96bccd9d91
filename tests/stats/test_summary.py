"""The summary row on a set small enough to count by hand."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from echochamber.stats.counts import count_completions
from echochamber.stats.summary import Summary, summarise_counts

NAMES = ["tinygsm", "omi1", "other"]
IDS = ["a"] * 4 + ["b"] * 4
FORMATS = ["tinygsm", "tinygsm", "omi1", "omi1", "tinygsm", "tinygsm", "tinygsm", "omi1"]
CORRECT = [True, False, True, False, False, False, False, False]
ANSWERS = ["3", "5", "3.0", None, "7", "7", "8", None]


def summarise(
    problem_ids: Sequence[str],
    formats: Sequence[str],
    correct: Sequence[bool],
    answers: Sequence[str | None],
    greedy: Mapping[str, bool] | None,
    ks: Sequence[int] | None = None,
    seed: int = 0,
) -> Summary:
    """Counted, then summarised, as `evaluate` does."""
    counts = count_completions(problem_ids, formats, correct, answers, greedy, NAMES)
    return summarise_counts(counts, NAMES, ks, seed)


def test_row_by_hand() -> None:
    row, problems = summarise(IDS, FORMATS, CORRECT, ANSWERS, {"a": True, "b": False})
    assert (row["num_problems"], row["num_samples"]) == (2, 4)
    assert (row["accuracy"], row["greedy_accuracy"]) == (0.25, 0.5)
    assert row["pass@k"] == pytest.approx({"1": 0.25, "2": (1 - 1 / 6) / 2, "4": 0.5})
    # Problem a: two right votes of either spelling, one wrong; it wins unless the right pair is split by a
    # tie.
    assert row["maj@k"]["4"] == pytest.approx(0.5)
    assert row["formats"]["tinygsm"] == pytest.approx({"share": 5 / 8, "accuracy": 1 / 5})
    assert row["formats"]["other"] == {"share": 0.0, "accuracy": None}
    assert sum(cell["share"] for cell in row["formats"].values()) == pytest.approx(1.0)
    assert problems["pass@2"] == pytest.approx([5 / 6, 0.0])
    assert problems["num_correct"] == [2, 0]


def test_every_number_has_its_interval_around_it() -> None:
    ids = [f"p{i}" for i in range(40) for _ in range(4)]
    draws = np.random.default_rng(0).random((2, 160))
    right, formats = (draws[0] < 0.4).tolist(), ["tinygsm" if u < 0.7 else "omi1" for u in draws[1]]
    row, _ = summarise(ids, formats, right, [str(r) for r in right], dict.fromkeys(ids, True))
    intervals = row["intervals"]
    for value, bounds in [
        (row["accuracy"], intervals["accuracy"]),
        (row["greedy_accuracy"], intervals["greedy_accuracy"]),
        *[(row[name][k], intervals[name][k]) for name in ("pass@k", "maj@k") for k in ("1", "2", "4")],
        *[
            (row["formats"][f][key], intervals["formats"][f][key])
            for f in NAMES[:2]
            for key in ("share", "accuracy")
        ],
    ]:
        assert bounds[0] <= value <= bounds[1]
        assert 0 < bounds[1] - bounds[0] < 0.5
    json.dumps(row, allow_nan=False)


def test_k_above_the_fewest_samples_is_none() -> None:
    row, problems = summarise(IDS[:7], FORMATS[:7], CORRECT[:7], ANSWERS[:7], None, ks=[1, 4])
    assert row["num_samples"] == 3
    assert row["pass@k"]["4"] is None
    assert row["intervals"]["maj@k"]["4"] is None
    assert problems["pass@4"] == [pytest.approx(1.0), None]
    assert row["greedy_accuracy"] is None


def test_greedy_only_and_empty_input_are_not_estimable() -> None:
    row, _ = summarise([], [], [], [], {"a": True, "b": True})
    assert row["greedy_accuracy"] == 1.0
    assert row["accuracy"] is None
    assert row["formats"]["omi1"]["share"] is None
    assert summarise([], [], [], [], None).row["num_problems"] == 0


def test_same_seed_same_row() -> None:
    arguments = (IDS, FORMATS, CORRECT, ANSWERS, None)
    assert summarise(*arguments, seed=1) == summarise(*arguments, seed=1)
