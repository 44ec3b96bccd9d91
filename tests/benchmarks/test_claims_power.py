"""The simulated power of criteria."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.claims_power import csv_text, decided, drawn, markdown, smallest_distance, smallest_rate
from echochamber.claims.declare import Criterion
from echochamber.papers.echo_chamber_2.claim_set import ECHO_CHAMBER_2
from echochamber.papers.echo_chamber_2.places import SEEDS

ROOT = Path(__file__).parents[2]


def test_the_smallest_rate_is_that_of_the_exact_interval():
    """Of eight answers only eight equal ones clear 1/2, so the rate is the eighth root of 0.8."""
    assert smallest_rate(8, 0.05, 0.5) == 0.98
    assert 0.97**8 < 0.8 < 0.98**8
    assert smallest_rate(3, 0.05, 0.5) is None


@pytest.mark.medium
def test_a_distance_has_the_power_it_is_named_for():
    criterion = Criterion("a", "b", "above", 0.02, "c")
    distance = smallest_distance(criterion, 0.05, 8, 0.05)
    assert distance is not None
    # By the usual approximation: (2.365 + 0.896) x 0.05 / sqrt(8) = 0.058.
    assert 0.045 < distance < 0.07
    values = np.random.default_rng(5).normal(0.02 + distance, 0.05, (1500, 8))
    assert decided(criterion, values, 0.05)[0] == pytest.approx(0.82, abs=0.06)
    assert decided(criterion, drawn(criterion, 0.02, 0.05, 8), 0.05) == pytest.approx(
        (0.025, 0.025), abs=0.02
    )


@pytest.mark.medium
def test_an_equivalence_that_the_spread_rules_out_has_no_distance():
    criterion = Criterion("a", "b", "within", 0.02, "c", "equivalence")
    assert smallest_distance(criterion, 0.2, 8, 0.05) is None
    assert smallest_distance(criterion, 0.005, 8, 0.05) is not None


def test_the_committed_table_has_every_criterion_as_it_is_declared():
    with (ROOT / "results" / "echo-chamber" / "power.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    declared = [(n, c) for n, claim in ECHO_CHAMBER_2.by_number.items() for c in claim.criteria]
    assert [(row["claim"], row["criterion"]) for row in rows] == [(str(n), c.id) for n, c in declared]
    for row, (number, criterion) in zip(rows, declared, strict=True):
        assert int(row["seeds"]) == SEEDS[number]
        assert (row["rule"], float(row["margin"]), row["scale"]) == (
            criterion.rule,
            criterion.margin,
            criterion.scale,
        )
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert all(f"| {row['claim']} | `{row['criterion']}` | {row['seeds']} |" in page for row in rows)


def test_rows_are_written_once_as_csv_and_once_for_readers():
    row = {"claim": 1, "criterion": "share", "seeds": 8, "places": 1, "rule": "above", "margin": 0.9}
    row |= {"scale": "share", "spread": 0.01, "distance": None, "mean_1": 0.95, "supported_1": 0.9}
    row |= {"contradicted_1": 0.0, "of": "PPO"}
    assert csv_text([row]).splitlines()[1] == "1,share,8,1,above,0.9,share,0.01,,0.95,0.9,0.0,PPO"
    assert markdown([row]).splitlines()[2] == "| 1 | `share` | 8 | 0.01 | over 0.64 | 0.95 | 0.9, 0.0 |"
