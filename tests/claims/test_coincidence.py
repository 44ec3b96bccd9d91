"""Claim 2's null model: curves of different seeds, and the test by permutation."""

from pathlib import Path

import numpy as np
import pytest

from echochamber.analysis.study_tables.open import open_tables
from echochamber.claims.select import Arm
from echochamber.core.study_tables import Tables
from echochamber.papers.echo_chamber.claim_set import CLAIMS
from echochamber.papers.echo_chamber.coincidence import (
    Peaks,
    checkpoint_peaks,
    distances,
    mismatched,
    permutation_p,
    rollout_peaks,
)
from echochamber.stats.permutation import matched_closer

RESULTS = Path(__file__).parents[2] / "results" / "paper-nano"


def test_pairs_that_belong_together_are_told_from_a_common_schedule():
    own = {seed: Peaks(5.0 * seed, 5.0 * seed + 1) for seed in range(5)}
    same = {seed: Peaks(2.0, 3.0) for seed in range(5)}
    assert distances(own) == distances(same) == dict.fromkeys(range(5), 1.0)
    assert permutation_p(own) == pytest.approx(1 / 120)
    assert permutation_p(same) == 1.0
    assert min(mismatched(own)) == 4.0
    assert len(mismatched(own)) == 20


def test_drawn_permutations_agree_with_the_definition():
    stream = np.random.default_rng(3)
    table = stream.random((9, 9))
    means = np.array([table[np.arange(9), stream.permutation(9)].mean() for _ in range(20_000)])
    assert matched_closer(table) == pytest.approx((means <= np.trace(table) / 9).mean(), abs=0.02)
    assert np.isnan(matched_closer([[1.0]]))


def test_steps_of_the_largest_change_are_smoothed_and_ties_lie_at_the_midpoint():
    """A jump at step 6 is spread over the three smoothed steps that hold it, so its middle one counts."""
    written = {step: 0.2 if step < 6 else 0.8 for step in range(1, 12)}
    rewards = {step: 0.1 if step < 8 else 0.7 for step in range(1, 12)}
    tables = Tables({})
    tables.__dict__["training"] = {
        ("m", "s", "ppo", "share/a"): {0: written},
        ("m", "s", "ppo", "share/b"): {0: {step: 1 - share for step, share in written.items()}},
        ("m", "s", "ppo", "reward"): {0: rewards},
    }
    (found,) = rollout_peaks(tables, Arm("m", "ppo", "s")).values()
    assert found == Peaks(3.0, 5.0)


def test_the_committed_study_passes_in_all_mismatched_pairs_and_says_so():
    tables = open_tables(RESULTS)
    peaks, _ = checkpoint_peaks(tables, Arm("tg_omi1_omi2", "ppo", tables.size))
    others = mismatched(peaks)
    assert (sum(distance <= 1 for distance in others), len(others)) == (30, 30)
    found = CLAIMS[2].measure(tables)
    assert "30 of 30 pairs" in found.caveats[0]
    assert any("permutation p" in note for note in found.notes)
