"""Version 2 of the claims on invented tables: supported, contradicted, undecided, and without a premise."""

import pytest

from echochamber.claims.estimate import estimate_on_scale
from echochamber.claims.judge import judge_all, judge_by_scale
from echochamber.papers.echo_chamber_2 import places as p
from echochamber.papers.echo_chamber_2.claim_set import ECHO_CHAMBER_2

from .paperlike_2 import SEEDS, SIZES, effects, shares, tables

pytestmark = pytest.mark.medium

CLAIMS = ECHO_CHAMBER_2.by_number
SMALL = SIZES[0]
BASE = {"tinygsm": 0.22, "omi1": 0.22, "omi2": 0.56}
SAME = dict.fromkeys(p.FORMATS, 0.4)
ROOM = {"maj@64@all": (0.95, 0.99), "pass@64@all": (1.0, 1.0)}


def _three(name=p.NEUTRAL, **changes):
    return {(p.THREE, name, SMALL): changes}


def _each(mixtures, changes, name=p.NEUTRAL):
    return {(mixture, name, SMALL): changes for mixture in mixtures}


def _at(key, value):
    """Changes as a keyword for a quantity whose name is no identifier."""
    return {key: value}


COPIES, FLAT = tuple(p.COPIES.values()), {1: 0.0, 2: 0.01, 4: -0.01, 8: 0.02}
CONTRADICTED = {
    1: _three(**shares(BASE, SAME, "tinygsm", 0.7)),
    2: _three(**{"rise": True, "gain at": {s: 8 + 4 * ((s + 4) % 9) for s in SEEDS}})
    | _three(p.PAPER, **{"rise": True, "gain at": {s: 8 + 4 * ((s + 4) % 9) for s in SEEDS}})
    | _three(p.OTHER_NEUTRAL, **{"rise": True, "gain at": {s: 8 + 4 * ((s + 4) % 9) for s in SEEDS}}),
    3: _three(**_at("maj@64@all", (0.55, 0.54))),
    4: _three(**_at("peak@64", 0.0)),
    5: {key: of for name in p.KL_WEIGHTS.values() for key, of in _three(name, greedy=(0.4, 0.6)).items()},
    6: _three(p.KL_0[0], greedy=(0.4, 0.6)) | _three(p.KL_0[1], greedy=(0.4, 0.6)),
    7: _each([p.FREQUENT], shares({"tinygsm": 0.3, "omi1": 0.7}, {"tinygsm": 0.6, "omi1": 0.25}, "omi1")),
    8: _each([p.MORE_FREQUENT], {"greedy": (0.3, 0.95)}),
    9: _each(p.FACTORIAL, {f"greedy_share/{n}": (0.3, 0.34) for n in p.FORMATS}),
    10: {
        (mixture, p.NEUTRAL, SMALL): {"greedy": (0.4, 0.9 - 0.1 * number)}
        for number, mixture in enumerate(COPIES)
    },
    11: _each(COPIES[1:2], _at("maj@64@all", (0.5, 0.51))),
    12: {(p.ONE_FORMAT, p.COIN[p.NEUTRAL], SMALL): {"docstring": (0.5, 0.9)}},
    13: {
        (f"{m}_fewer_tokens", p.MATCHED, SIZES[-1]): shares(BASE, SAME, "tinygsm")
        for m in (p.THREE, "acc_omi1_freq_tg_short_omi2")
    },
    14: _three(p.GRPO, **_at("reward fall", 0.0)),
    15: _three(p.EI["with duplicates"], greedy=(0.4, 0.95)),
    16: _each([p.FREQUENT], _at("greedy@hard", (0.05, 0.03))),
    17: _each(p.WITH_OMI2, _at("greedy@hard", (0.05, 0.1))),
    18: _each([p.ONE_FORMAT], _at("greedy@beyond", (0.03, 0.2))),
    19: _each([p.PLANTED], _at("greedy@overlap", (0.4, 0.5))),
    20: _each([p.THREE], _at("greedy@hard", (0.05, 0.6)), p.HARD_ARM),
    21: {key: of for name in p.KL_WEIGHTS.values() for key, of in _three(name, tv=0.9).items()},
    22: _three(p.EI_LONG, **shares(BASE, SAME, "tinygsm", 0.7)),
}
WILD = {
    1: {"training share/tinygsm": 0.4},
    3: {"maj@64@all": 0.5},
    4: {"peak@64": 0.04},
    5: {"greedy": 0.3},
    6: {"greedy": 0.3},
    8: {"greedy": 0.9},
    10: {"greedy": 0.9},
    11: {"maj@64@all": 0.5},
    12: {"docstring": 1.5},
    14: {"reward fall": 0.8},
    15: {"greedy": 0.9},
    16: {"greedy@hard": 0.9},
    17: {"greedy@hard": 0.9},
    18: {"greedy@beyond": 0.2},
    19: {"greedy@overlap": 0.9},
    20: {"greedy@hard": 0.9},
    21: {"tv": 0.7},
    22: {"share/tinygsm": 0.4},
}
"""Claim -> a spread between seeds that leaves it undecided."""
FEWER_SEEDS = (7, 9, 13)
"""Answers of yes and no have no spread to raise; five equal seeds decide nothing."""
PREMISE = {
    1: {(p.TWINS, p.NEUTRAL, SMALL): {"accuracy": (0.05, 0.5)}},
    3: _three(**ROOM),
    4: _three(**_at("floor chance all", (0.9, 0.9))),
    5: _three(**ROOM),
    7: _each([p.FREQUENT], shares({"tinygsm": 0.3, "omi1": 0.7}, {"tinygsm": 0.2, "omi1": 0.3}, "tinygsm")),
    8: _each(
        [p.MORE_FREQUENT], shares({"tinygsm": 0.49, "omi1": 0.48}, {"tinygsm": 0.5, "omi1": 0.6}, "omi1")
    ),
    9: _each(p.FACTORIAL, shares(BASE, {"tinygsm": 0.2, "omi1": 0.2, "omi2": 0.7}, "omi2")),
    10: _each(COPIES, ROOM),
    11: _each(COPIES, ROOM),
    13: {(f"{p.THREE}_fewer_tokens", p.MATCHED, SIZES[-1]): {"accuracy": (0.5, 0.8)}},
    20: _each(p.HARD_MIXTURES, _at("greedy@hard", (0.3, 0.4)), p.HARD_ARM)
    | _each(p.HARD_MIXTURES, _at("greedy@hard", (0.3, 0.5))),
    21: {(p.THREE, name, SMALL): shares(BASE, SAME, "omi2", 0.56) for name in p.KL_WEIGHTS.values()},
}


def _judged(number, changes=None, **settings):
    """The claim on the runs of its own mixtures, some of them changed."""
    own = {name.partition("/")[0] for name in (*CLAIMS[number].arms, *CLAIMS[number].nulls)}
    found = {place: of for place, of in effects().items() if place[0] in own}
    for place, of in (changes or {}).items():
        found[place] = found[place] | of
    return judge_by_scale(CLAIMS[number], tables(found, **settings))


@pytest.fixture(scope="module")
def holding():
    return {one.claim.number: one for one in judge_all(tables(effects()), ECHO_CHAMBER_2)}


@pytest.mark.parametrize("number", CLAIMS)
def test_where_all_holds_every_claim_is_supported_and_its_premises_are_met(holding, number):
    found = holding[number]
    assert (found.verdict, found.reason) == ("supported", "")
    assert {one.premise.id for one in found.premises} == {one.id for one in CLAIMS[number].premises}
    assert all(one.met for one in found.premises)
    assert {one.criterion.id for one in found.criteria} == {one.id for one in CLAIMS[number].criteria}


@pytest.mark.parametrize("number", CONTRADICTED)
def test_the_opposite_contradicts(number):
    assert _judged(number, CONTRADICTED[number]).verdict == "contradicted"


@pytest.mark.parametrize("number", WILD)
def test_a_large_spread_between_seeds_decides_nothing_and_says_how_many_would(number):
    changes = _three(**_at("peak@64", 0.03)) if number == 4 else None
    found = _judged(number, changes, wild=WILD[number])
    assert found.verdict == "inconclusive"
    assert "seeds" in found.reason


@pytest.mark.parametrize("number", FEWER_SEEDS)
def test_five_equal_answers_decide_nothing(number):
    found = _judged(number, seeds=range(10, 15))
    assert found.verdict == "inconclusive"
    assert "for a power of 80%" in found.reason


def test_peaks_that_all_lie_at_one_step_show_no_coincidence():
    """The common schedule: every run has both peaks at the same step, so no pair is nearer than another."""
    flat = {"rise": False, "gain at": {}}
    changes = _three(**flat) | _three(p.PAPER, **flat) | _three(p.OTHER_NEUTRAL, **flat)
    found = _judged(2, changes)
    assert found.verdict == "inconclusive"
    assert "permutation" in found.reason


@pytest.mark.parametrize("number", PREMISE)
def test_a_base_without_what_the_claim_presupposes_contradicts_nothing(number):
    found = _judged(number, PREMISE[number])
    assert found.verdict == "premise not met"
    assert "asked" in found.reason
    assert any(not one.met for one in found.premises)


def test_every_claim_with_a_premise_is_tried_without_it():
    assert set(PREMISE) == {number for number, claim in CLAIMS.items() if claim.premises}
    assert set(WILD) | set(FEWER_SEEDS) | {2} == set(CLAIMS) == set(CONTRADICTED)


def test_more_copies_that_are_not_explained_by_tokens_are_called_supported_alone(holding):
    assert holding[10].qualifier == "explained by tokens"
    assert "explained by tokens" in holding[10].comment
    rising = {
        (mixture, p.NEUTRAL, SMALL): {"greedy": (0.4, 0.6 + 0.03 * number)}
        for number, mixture in enumerate(p.EQUAL_TOKENS.values())
    }
    found = _judged(10, {key: of for key, of in rising.items() if key[0] != p.ONE_FORMAT})
    assert (found.verdict, found.qualifier) == ("supported", "")


def test_nobodys_victory_is_a_miss():
    nobody = {f"greedy_share/{name}": (0.5, 0.4) for name in ("tinygsm", "omi1")}
    assert _judged(7, _each([p.FREQUENT], nobody)).verdict == "contradicted"


def test_seeds_that_fail_a_premise_stay_in_and_the_others_stand_beside():
    spread = {"maj@64@all": (0.745, 0.9)}
    found = _judged(3, _three(**spread), noise=0.02)
    assert found.verdict == "supported"
    beside = [one for one in found.context if one.name.endswith("seeds that meet the premises")]
    assert 3 <= len(beside[0].seeds) < len(SEEDS)
    assert len(found.criteria[0].estimate.seeds) == len(SEEDS)


def test_claim_18_needs_one_mixture_whose_right_steps_rise_after_holm():
    falls = {"floor steps beyond": (0.2, 0.1)}
    some = _judged(18, _each(p.FIVE[1:], falls))
    assert some.verdict == "supported"
    assert {one.family for one in some.criteria if one.criterion.holds} == {len(p.FIVE)}
    assert _judged(18, _each(p.FIVE, falls)).verdict == "contradicted"


def test_nulls_of_the_same_update_stand_beside_every_collapse(holding):
    for number, names in ((1, (p.NEUTRAL, p.PAPER, p.OTHER_NEUTRAL)), (22, (p.NEUTRAL, p.GRPO, p.EI_LONG))):
        null = [
            (one.name.partition(":")[0], one.condition)
            for one in holding[number].context
            if one.kind == "null"
        ]
        for name in names:
            assert ("coin reward", name) in null
            assert ("bandit at the fitted rate", name) in null
    assert ("even twins", p.NEUTRAL) in [
        (one.name.partition(":")[0], one.condition) for one in holding[1].context if one.kind == "null"
    ]


def test_the_equivalence_of_claim_6_is_two_one_sided_tests():
    """At 5% each they are the 90% interval, so the two-sided 95% one may reach past the margin."""
    seeds = dict(enumerate([0.0, 0.03, -0.02, 0.05, 0.02, 0.04, -0.01, 0.03]))
    inside = estimate_on_scale(seeds, "within", 0.036, scale="equivalence")
    assert inside.low > -0.036
    assert inside.high > 0.036
    assert inside.verdict() == "supported"
    assert estimate_on_scale(seeds, "within", 0.036).verdict() == "inconclusive"
