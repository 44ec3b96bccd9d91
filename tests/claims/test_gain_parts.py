"""The gain in three parts, from the committed tables."""

from pathlib import Path

import numpy as np
import pytest

from echochamber.analysis.study_tables.open import open_tables
from echochamber.claims.select import Arm, gain
from echochamber.papers.echo_chamber.gain_parts import NAMES, gain_parts
from echochamber.stats.intervals import t_interval

RESULTS = Path(__file__).parents[2] / "results" / "paper-nano"


def test_the_gain_of_ppo_on_three_formats_is_mostly_neither_choice_nor_skill_alone():
    tables = open_tables(RESULTS)
    one = Arm("tg_omi1_omi2", "ppo", tables.size)
    parts = gain_parts(tables, one)
    assert parts["gain"] == pytest.approx(gain(tables, one, "accuracy"), abs=1e-9)
    expected = {
        "choice at base skill": (0.074, 0.045, 0.102),
        "skill at base shares": (0.070, 0.024, 0.117),
        "interaction": (0.217, 0.173, 0.260),
    }
    for name, numbers in expected.items():
        values = list(parts[name].values())
        assert (np.mean(values), *t_interval(values)) == pytest.approx(numbers, abs=0.001)
    for seed, whole in parts["gain"].items():
        assert sum(parts[name][seed] for name in NAMES[1:]) == pytest.approx(whole)
