"""Choice, skill and interaction on cases with a known answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from echochamber.stats.decomposition import split_gain

NAN = float("nan")
UNIT = st.floats(0.01, 1.0)


@settings(max_examples=50, deadline=None)
@given(arrays(float, (4, 5, 3), elements=UNIT))
def test_parts_add_up_to_the_gain_and_the_interaction_is_what_reversing_leaves(cube: np.ndarray) -> None:
    s0, s1 = (cube[i] / cube[i].sum(1, keepdims=True) for i in (0, 1))
    split = split_gain(s0, cube[2], s1, cube[3])
    whole = (s1 * cube[3]).sum(1) - (s0 * cube[2]).sum(1)
    assert sum(part.value for part in split) == pytest.approx(whole)
    back = split_gain(s1, cube[3], s0, cube[2])
    assert back.interaction.value == pytest.approx(split.interaction.value)
    assert -back.choice.value == pytest.approx(split.choice.value + split.interaction.value)
    assert all(part.low == pytest.approx(part.high) for part in split)


def test_pure_cases() -> None:
    chosen = split_gain([[0.5, 0.5]], [[0.2, 0.8]], [[0.0, 1.0]], [[0.2, 0.8]])
    assert [part.value[0] for part in chosen] == pytest.approx([0.3, 0.0, 0.0])
    taught = split_gain([[0.5, 0.5]], [[0.2, 0.4]], [[0.5, 0.5]], [[0.6, 0.4]])
    assert [part.value[0] for part in taught] == pytest.approx([0.0, 0.2, 0.0])
    both = split_gain([[0.5, 0.5]], [[0.2, 0.2]], [[1.0, 0.0]], [[0.6, 0.2]])
    assert [part.value[0] for part in both] == pytest.approx([0.0, 0.2, 0.2])


def test_an_extinct_format_is_bounded_or_forced() -> None:
    """One format of share 1/2 and accuracy 0.2 dies out; at accuracy x its skill is (x - 0.2) / 2."""
    before, after = ([[0.5, 0.5]], [[0.2, 0.8]]), ([[0.0, 1.0]], [[NAN, 0.8]])
    split = split_gain(*before, *after)
    assert [part.value[0] for part in split] == pytest.approx([0.3, 0.0, 0.0])
    assert (split.choice.low[0], split.choice.high[0]) == pytest.approx((0.3, 0.3))
    assert (split.skill.low[0], split.skill.high[0]) == pytest.approx((-0.1, 0.4))
    assert (split.interaction.low[0], split.interaction.high[0]) == pytest.approx((-0.4, 0.1))
    forced = split_gain(*before, *after, forced_after=[[0.6, NAN]])
    assert [part.value[0] for part in forced] == pytest.approx([0.3, 0.2, -0.2])
    assert all(part.low[0] == pytest.approx(part.high[0]) for part in forced)


def test_a_new_format_is_bounded_by_what_the_base_could_have_done() -> None:
    split = split_gain([[1.0, 0.0]], [[0.2, NAN]], [[0.0, 1.0]], [[NAN, 0.8]])
    assert (split.choice.low[0], split.choice.high[0]) == pytest.approx((-0.2, 0.8))
    assert sum(part.value[0] for part in split) == pytest.approx(0.6)
