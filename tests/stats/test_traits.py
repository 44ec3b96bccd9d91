"""Traits: counts against a slow loop, intervals against those of formats, and what is not estimable."""

import numpy as np
import pytest

from echochamber.stats.bootstrap import problem_weights, ratio_interval
from echochamber.stats.traits import count_traits, join_trait_counts, trait_scores


def drawn(seed, problems=30, samples=8):
    stream = np.random.default_rng(seed)
    ids = [f"p{i}" for i in range(problems) for _ in range(samples)]
    order = stream.permutation(len(ids))
    ids = [ids[i] for i in order]
    correct = (stream.random(len(ids)) < 0.6).tolist()
    holds = {
        "often": (stream.random(len(ids)) < 0.7).tolist(),
        "some": (stream.random(len(ids)) < 0.2).tolist(),
    }
    return ids, correct, holds


def test_values_are_those_of_a_loop_over_completions():
    ids, correct, holds = drawn(0)
    counts = count_traits(ids, correct, holds)
    values, bounds = trait_scores(counts, list(holds), problem_weights(30, 0))
    for name, marks in holds.items():
        with_it = [right for right, mark in zip(correct, marks, strict=True) if mark]
        without = [right for right, mark in zip(correct, marks, strict=True) if not mark]
        assert values[name]["rate"] == pytest.approx(len(with_it) / len(ids))
        assert values[name]["accuracy_with"] == pytest.approx(sum(with_it) / len(with_it))
        assert values[name]["accuracy_without"] == pytest.approx(sum(without) / len(without))
        for quantity, value in values[name].items():
            low, high = bounds[name][quantity]
            assert low < value < high
    assert values["often"]["rate"] + values["some"]["rate"] < 1 < 1.1 + values["some"]["rate"]


def test_intervals_resample_whole_problems():
    """Completions of a problem that are all alike count once: the interval is that of problems."""
    ids = [f"p{i}" for i in range(20) for _ in range(16)]
    marks = [i < 8 for i in range(20) for _ in range(16)]
    weights = problem_weights(20, 0)
    _, bounds = trait_scores(count_traits(ids, marks, {"t": marks}), ["t"], weights)
    expected = ratio_interval(weights, [i < 8 for i in range(20)], np.ones(20))
    assert bounds["t"]["rate"] == pytest.approx(expected)
    assert expected[1] - expected[0] > 0.4


def test_a_trait_that_never_or_always_holds_has_one_accuracy():
    ids, correct = [f"p{i}" for i in range(5)], [True] * 5
    counts = count_traits(ids, correct, {"never": [False] * 5, "always": [True] * 5})
    values, bounds = trait_scores(counts, ["never", "always"], problem_weights(5, 0))
    assert values["never"] == {"rate": 0.0, "accuracy_with": None, "accuracy_without": 1.0}
    assert values["always"] == {"rate": 1.0, "accuracy_with": 1.0, "accuracy_without": None}
    assert (bounds["never"]["accuracy_with"], bounds["always"]["accuracy_without"]) == (None, None)
    assert bounds["never"]["rate"][0] == 0 < bounds["never"]["rate"][1]


def test_joined_counts_are_counts_of_all():
    ids, correct, holds = drawn(1)
    first = [i for i, name in enumerate(ids) if int(name[1:]) < 10]
    second = [i for i in range(len(ids)) if i not in first]
    parts = [
        count_traits(
            [ids[i] for i in part],
            [correct[i] for i in part],
            {k: [v[i] for i in part] for k, v in holds.items()},
        )
        for part in (first, second)
    ]
    joined, whole = join_trait_counts(parts), count_traits(ids, correct, holds)
    for a, b in zip(joined, whole, strict=True):
        assert np.sort(a, axis=0).tolist() == np.sort(b, axis=0).tolist()
    empty = count_traits([], [], {"t": []})
    assert join_trait_counts([empty, empty]).held.shape == (0, 1)
    assert trait_scores(empty, ["t"], problem_weights(1, 0))[0]["t"]["rate"] is None
