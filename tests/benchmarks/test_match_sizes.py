"""Steps at which sizes are equally accurate."""

from benchmarks.match_sizes import nearest_steps


def test_the_target_is_what_every_size_reaches_and_each_takes_its_nearest_step():
    small = {100: 0.1, 200: 0.3, 732: 0.42}
    large = {100: 0.2, 200: 0.4, 292: 0.8}
    target, steps = nearest_steps({"small": small, "large": large, "larger": {100: 0.44, 140: 0.6}})
    assert target == 0.42
    assert steps == {"small": 732, "large": 200, "larger": 100}


def test_a_weak_large_size_pulls_the_small_one_back():
    target, steps = nearest_steps({"small": {100: 0.1, 732: 0.5}, "large": {292: 0.12}})
    assert (target, steps) == (0.12, {"small": 100, "large": 292})
