"""Version 2 of the judging rules: intervals by scale, none without width decides; version 1 is as it was."""

from dataclasses import replace

import numpy as np
import pytest

from echochamber.claims.claim_set import ClaimSet, digest_of
from echochamber.claims.declare import Claim, Criterion, Evidence, Measurement, Premise
from echochamber.claims.estimate import describe_seeds, estimate, estimate_on_scale, interval_of
from echochamber.claims.judge import RULES, judge_all
from echochamber.claims.ledger import estimate_rows, ledger_rows
from echochamber.claims.power import seeds_for_power
from echochamber.claims.registry import register_claim
from echochamber.core.errors import UserError
from echochamber.core.study_tables import Tables
from echochamber.papers.echo_chamber.claim_set import ECHO_CHAMBER
from echochamber.stats.intervals import clopper_pearson, t_cdf, t_quantile

NEAR_0 = {0: 0.013, 1: 0.021, 2: 0.044}
"""Distances like those of claim 21: mean 0.026, Student's interval reaches below 0."""


def _verdict(values, rule, margin, scale, rules, reference=None):
    seeds = dict(enumerate(values)) if not isinstance(values, dict) else values
    criterion = Criterion("one", "statistic", rule, None if reference else margin, "what", scale)
    measured = Measurement("one", seeds, reference=reference)
    claim = Claim(1, "s", "p", ("a/b",), (criterion,), "c", lambda tables: Evidence((measured,)))
    return judge_all(Tables({}), ClaimSet("x", (claim,), rules))[0]


@pytest.mark.parametrize("scale", ["difference", "share"])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_seeds_of_one_value_decide_only_in_version_1(scale, value):
    assert _verdict([value] * 6, "above", 0.5, scale, 1).verdict in ("supported", "contradicted")
    found = _verdict([value] * 6, "above", 0.5, scale, 2)
    assert found.verdict == "inconclusive"
    assert "all 6 have the same value" in found.reason


def test_a_reference_without_width_decides_nothing_either():
    twins = {0: 0.4, 1: 0.4, 2: 0.4}
    values = {0: 0.91, 1: 0.92, 2: 0.95}
    assert _verdict(values, "above", None, "share", 1, twins).verdict == "supported"
    assert _verdict(values, "above", None, "share", 2, twins).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("yes", "seeds", "expected"),
    [(3, 3, "inconclusive"), (8, 8, "supported"), (0, 8, "contradicted"), (6, 8, "inconclusive")],
)
def test_yes_and_no_are_judged_by_the_exact_interval(yes, seeds, expected):
    found = _verdict([1.0] * yes + [0.0] * (seeds - yes), "above", 0.5, "yes_no", 2)
    assert found.verdict == expected
    low, high = clopper_pearson(yes, seeds)
    assert (found.criteria[0].estimate.low, found.criteria[0].estimate.high) == (low, high)


def test_three_equal_winners_need_six_seeds():
    """Claim 13 of version 1 was contradicted by three equal seeds; 0.5^5 = 0.031 is the first under 5%."""
    found = estimate_on_scale({0: 1.0, 1: 1.0, 2: 1.0}, "above", 0.5, scale="yes_no")
    assert describe_seeds(found).startswith("about 6 seeds")


def test_yes_or_no_that_is_neither_is_an_error():
    with pytest.raises(ValueError, match="0.5"):
        interval_of([0.5, 1.0, 0.0], "yes_no")


def test_shares_near_the_end_are_judged_by_a_bounded_interval():
    """By Student's t claim 21's distance of 0.026 was under 0.10; the bounded interval reaches 0.10."""
    student, bounded = (
        estimate(NEAR_0, "below", 0.10),
        estimate_on_scale(NEAR_0, "below", 0.10, scale="share"),
    )
    assert (student.verdict(), bounded.verdict()) == ("supported", "inconclusive")
    assert student.low < 0 < bounded.low < bounded.mean < 0.10 < bounded.high


@pytest.mark.parametrize(("rule", "margin"), [("above", 0.2), ("below", 0.35), ("within", 0.4)])
def test_differences_with_a_spread_are_judged_as_in_version_1(rule, margin):
    seeds = dict(enumerate([0.31, 0.22, 0.28, 0.36]))
    one, two = estimate(seeds, rule, margin), estimate_on_scale(seeds, rule, margin)
    assert (two.low, two.high) == (one.low, one.high)
    assert two.p_supported == pytest.approx(one.p_supported, abs=1e-8)
    assert two.p_contradicted == pytest.approx(one.p_contradicted, abs=1e-8)


def test_the_exact_interval_holds_its_definition():
    """P(X >= k) at the lower end and P(X <= k) at the upper end are 2.5%."""
    from math import comb

    for successes, trials in ((1, 8), (5, 8), (8, 8), (0, 3)):
        low, high = clopper_pearson(successes, trials)
        tails = [
            [comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(trials + 1)] for p in (low, high)
        ]
        assert sum(tails[0][successes:]) == pytest.approx(0.025 if successes else 1.0, abs=1e-9)
        assert sum(tails[1][: successes + 1]) == pytest.approx(0.025 if successes < trials else 1.0, abs=1e-9)


def test_two_sided_levels_agree_with_student():
    values = np.array([0.31, 0.22, 0.28, 0.36])
    t = (values.mean() - 0.2) / (values.std(ddof=1) / 2)
    found = estimate_on_scale(dict(enumerate(values.tolist())), "above", 0.2)
    assert found.p_supported == pytest.approx(2 * (1 - t_cdf(t, 3)), abs=1e-8)


def test_version_1_and_its_digest_are_as_they_were():
    assert ECHO_CHAMBER.rules == 1
    assert set(RULES) == {1, 2}
    assert all(c.scale == "difference" for claim in ECHO_CHAMBER.claims for c in claim.criteria)
    assert all(len(c) == 4 for claim in ECHO_CHAMBER.claims for c in claim.declared()["criteria"])
    scaled = Claim(
        1, "s", "p", (), (Criterion("a", "b", "above", 0.5, "c", "share"),), "d", lambda t: Evidence(())
    )
    plain = Claim(1, "s", "p", (), (Criterion("a", "b", "above", 0.5, "c"),), "d", lambda t: Evidence(()))
    assert digest_of(scaled.declared()) != digest_of(plain.declared())


def test_rules_that_do_not_exist_are_refused():
    claim = Claim(1, "s", "p", (), (), "d", lambda t: Evidence(()), name="mine")
    with pytest.raises(UserError, match="rules=3 is not known; allowed are 1, 2"):
        register_claim("mine", claim, rules=3)


def _everywhere(values, criterion, premise=None, rules=2, **of_base):
    """A claim on two places, judged by either version; `of_base` are the values of its premise."""
    measured = tuple(Measurement("one", dict(enumerate(seeds)), name) for name, seeds in values.items())
    premises = tuple(Measurement("room", dict(enumerate(seeds)), name) for name, seeds in of_base.items())
    found = Evidence(measured, premises=premises)
    claim = Claim(
        1, "s", "p", (), (criterion,), "c", lambda tables: found, premises=(premise,) if premise else ()
    )
    return judge_all(Tables({}), ClaimSet("x", (claim,), rules))[0]


def test_one_place_on_the_other_side_contradicts_without_a_correction():
    """p is between 0.025 and 0.05: Holm's correction over two places, as in version 1, would undo it."""
    values = {"a": [0.1, 0.3, 0.2, 0.25], "b": [-0.08, -0.18, -0.04, -0.14]}
    criterion = Criterion("one", "statistic", "above", 0.0, "what")
    assert _everywhere(values, criterion, rules=1).verdict == "inconclusive"
    assert _everywhere(values, criterion).verdict == "contradicted"


def test_a_premise_is_judged_at_the_mean_and_a_failed_one_is_no_contradiction():
    criterion, premise = (
        Criterion("one", "statistic", "above", 0.0, "what"),
        Premise("room", "b", 0.4, 0.75, "w"),
    )
    down = {"a": [-0.2, -0.3, -0.25]}
    assert _everywhere(down, criterion, premise, a=[0.3, 0.5, 0.6]).verdict == "contradicted"
    failed = _everywhere(down, criterion, premise, a=[0.9, 0.5, 0.9])
    assert failed.verdict == "premise not met"
    assert failed.reason.startswith("room (a): 0.767 [")
    assert failed.reason.endswith("asked 0.4 to 0.75")
    assert _everywhere(down, criterion, premise).verdict == "premise not met"


def test_premises_and_a_criterions_own_rule_of_places_are_part_of_the_digest():
    plain = Claim(1, "s", "p", (), (Criterion("a", "b", "above", 0.5, "c"),), "d", lambda t: Evidence(()))
    digests = {
        digest_of(replace(plain, **fields).declared())
        for fields in (
            {},
            {"premises": (Premise("room", "b", 0.4, 0.75, "w"),)},
            {"premises": (Premise("room", "b", 0.4, 0.8, "w"),)},
            {"criteria": (replace(plain.criteria[0], holds="somewhere"),)},
        )
    }
    assert len(digests) == 4


@pytest.mark.parametrize("spread", [0.05, 0.2])
def test_the_number_of_seeds_for_a_power_of_80_percent_has_it(spread):
    """Simulated: about 80% of repetitions with that many seeds are decided."""
    stream = np.random.default_rng(1)
    values = np.array([-1.0, -0.5, 0.5, 1.0]) * spread / np.std([-1.0, -0.5, 0.5, 1.0], ddof=1) + 0.1
    needed = seeds_for_power(estimate_on_scale(dict(enumerate(values.tolist())), "above", 0.0))
    drawn = stream.normal(0.1, spread, (4000, needed))
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(needed)
    power = (drawn.mean(axis=1) > t_quantile(0.975, needed - 1) * errors).mean()
    assert power + 0.02 >= 0.8
    assert power < 0.93


def test_ledger_rows_hold_premises_and_the_committed_ledger_has_none():
    criterion, premise = (
        Criterion("one", "statistic", "above", 0.0, "what"),
        Premise("room", "b", None, 0.1, "w"),
    )
    found = _everywhere({"a": [0.2, 0.3, 0.25]}, criterion, premise, a=[0.05, 0.06, 0.09])
    rows = ledger_rows([found])
    assert [(row["criterion"], row["criterion_verdict"]) for row in rows] == [
        ("premise: room", "met"),
        ("one", "supported"),
    ]
    assert rows[0]["rule"] == "at most 0.1"
    assert [row["kind"] for row in estimate_rows([found])] == ["premise"] * 3 + ["criterion"] * 3
