"""Selection and skill on cases with a known answer."""

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
def test_parts_add_up_to_the_gain_and_swap_sign_in_reverse(cube: np.ndarray) -> None:
    s0, s1 = (cube[i] / cube[i].sum(1, keepdims=True) for i in (0, 1))
    split = split_gain(s0, cube[2], s1, cube[3])
    assert split.selection + split.skill == pytest.approx((s1 * cube[3]).sum(1) - (s0 * cube[2]).sum(1))
    back = split_gain(s1, cube[3], s0, cube[2])
    assert back.selection == pytest.approx(-split.selection)
    assert split.selection_low == pytest.approx(split.selection_high)


def test_pure_cases() -> None:
    chosen = split_gain([[0.5, 0.5]], [[0.2, 0.8]], [[0.0, 1.0]], [[0.2, 0.8]])
    assert (chosen.selection[0], chosen.skill[0]) == pytest.approx((0.3, 0.0))
    taught = split_gain([[0.5, 0.5]], [[0.2, 0.4]], [[0.5, 0.5]], [[0.6, 0.4]])
    assert (taught.selection[0], taught.skill[0]) == pytest.approx((0.0, 0.2))


def test_an_extinct_format_is_bounded_or_forced() -> None:
    """One format of share 1/2 and accuracy 0.2 dies out.

    With accuracy x, selection is 0.4 - (0.2 + x) / 4.
    """
    before, after = ([[0.5, 0.5]], [[0.2, 0.8]]), ([[0.0, 1.0]], [[NAN, 0.8]])
    split = split_gain(*before, *after)
    assert split.selection[0] == pytest.approx(0.5 * 0.8 - 0.5 * 0.2)
    assert split.selection_low[0] == pytest.approx(0.4 - 0.5 * (0.2 + 1) / 2)
    assert split.selection_high[0] == pytest.approx(0.4 - 0.5 * 0.2 / 2)
    forced = split_gain(*before, *after, forced_after=[[0.6, NAN]])
    assert forced.selection[0] == pytest.approx(0.4 - 0.5 * 0.4)
    assert forced.selection_low[0] == forced.selection_high[0]
    assert forced.selection[0] + forced.skill[0] == pytest.approx(split.selection[0] + split.skill[0])
