"""What the digest of a claim set covers, earlier digests, and claims of a user's own."""

import json
from dataclasses import replace

import pytest

from echochamber.claims import registry
from echochamber.claims.claim_set import ClaimSet, digest_of, same_criteria
from echochamber.claims.declare import Claim, Criterion, Evidence, Measurement
from echochamber.claims.judge import RULES, judge
from echochamber.claims.ledger import criteria_note, make_ledger
from echochamber.claims.registry import register_claim
from echochamber.claims.select import arm, gain
from echochamber.core.errors import UserError
from echochamber.papers.catalogue import claim_sets, find_claims
from echochamber.papers.echo_chamber.claim_set import CLAIMS, ECHO_CHAMBER
from echochamber.study.recipe import Recipe, load_recipe

from .paperlike import effects, tables

FIRST_DIGEST = "42dbde94cba48c18"
"""Recorded in results/paper-nano before its first RL run, when the digest still covered wording."""


def _measure(found):
    return Evidence((Measurement("gain", gain(found, arm(found, "tg_omi1_omi2", "ppo"), "accuracy")),))


def _claim(number=1, name="rl_helps", margin=0.05):
    criterion = Criterion("gain", "gain/accuracy", "above", margin, "pass@1 at the end minus at the base")
    return Claim(
        number,
        "RL raises pass@1",
        "mine",
        ("tg_omi1_omi2/ppo",),
        (criterion,),
        "it falls",
        _measure,
        name=name,
    )


@pytest.fixture
def own_sets(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", {})


@pytest.fixture(scope="module")
def first_declarations():
    return json.loads(ECHO_CHAMBER.first_declarations.read_text())


def _changed(number, **fields):
    return replace(
        ECHO_CHAMBER, claims=tuple((CLAIMS | {number: replace(CLAIMS[number], **fields)}).values())
    )


def test_the_frozen_declarations_have_the_recorded_digest(first_declarations):
    assert digest_of(first_declarations) == FIRST_DIGEST
    assert len(first_declarations) == len(CLAIMS) == 22


def test_every_deciding_field_is_as_it_was_declared_first(first_declarations):
    for first in first_declarations:
        now = CLAIMS[first["number"]].declared()
        assert now["arms"] == [name.removesuffix(" at two sizes") for name in first["arms"]]
        assert (now["holds"], now["holm"]) == (first["holds"], first["holm"])
        rules = [(rule, margin) for _, _, rule, margin in now["criteria"]]
        assert rules == [(rule, margin) for _, _, rule, margin, _ in first["criteria"]]
        names = [criterion.label for criterion in CLAIMS[first["number"]].criteria]
        assert [name.replace("_", " ") for name in names] == [criterion[0] for criterion in first["criteria"]]
    assert same_criteria(first_declarations, ECHO_CHAMBER.declared()["claims"])
    assert ECHO_CHAMBER.is_unchanged_since(FIRST_DIGEST)


def test_wording_is_no_part_of_the_digest():
    for fields in ({"statement": "x"}, {"source": "x"}, {"contradicted_by": "x"}, {"choices": ("x",)}):
        assert _changed(3, **fields).digest == ECHO_CHAMBER.digest
    reworded = (replace(CLAIMS[3].criteria[0], description="x"),)
    assert _changed(3, criteria=reworded).digest == ECHO_CHAMBER.digest


@pytest.mark.parametrize(
    "fields",
    [
        {"arms": ("tg/ppo",)},
        {"holds": "somewhere"},
        {"holm": True},
        {"criteria": (replace(CLAIMS[3].criteria[0], margin=0.0),)},
        {"criteria": (replace(CLAIMS[3].criteria[0], rule="below"),)},
    ],
)
def test_what_decides_changes_the_digest_and_the_first_declarations_no_longer_hold(fields):
    changed = _changed(3, **fields)
    assert changed.digest != ECHO_CHAMBER.digest
    assert not changed.is_unchanged_since(FIRST_DIGEST)
    assert "CHANGED" in criteria_note(changed, {"hash": FIRST_DIGEST})
    assert "CHANGED" in criteria_note(changed, {"sets": {"echo_chamber": ECHO_CHAMBER.digest}})


def test_the_rules_and_statistics_are_part_of_the_digest():
    assert replace(ECHO_CHAMBER, rules=2).digest != ECHO_CHAMBER.digest
    other = _changed(3, criteria=(replace(CLAIMS[3].criteria[0], statistic="gain/pass@64"),))
    assert other.digest != ECHO_CHAMBER.digest


def test_the_note_reads_old_and_new_records():
    old = {"hash": FIRST_DIGEST, "program": "0123456789abcdef", "recorded": "2026-01-01"}
    assert f"Criteria {FIRST_DIGEST}, recorded 2026-01-01" in criteria_note(ECHO_CHAMBER, old)
    assert "unchanged" in criteria_note(ECHO_CHAMBER, old)
    new = {"sets": {"echo_chamber": ECHO_CHAMBER.digest}, "recorded": "2026-01-01", "before_first_rl": False}
    assert "unchanged since" in criteria_note(ECHO_CHAMBER, new)
    assert "after some RL had already run" in criteria_note(ECHO_CHAMBER, new)
    assert "CHANGED" in criteria_note(ECHO_CHAMBER, {"hash": "another"})
    assert "no record" in criteria_note(ECHO_CHAMBER, {})
    assert "no record" in criteria_note(ClaimSet("mine", (_claim(),)), old)


def test_a_set_is_judged_by_the_version_of_the_rules_that_it_names(monkeypatch):
    holding = tables(effects())
    monkeypatch.setitem(RULES, 2, lambda claim, _: replace(judge(claim, holding), verdict="inconclusive"))
    later = ClaimSet("mine", (_claim(),), rules=2)
    assert make_ledger(holding, later).lines[0].verdict == "inconclusive"
    assert make_ledger(holding, replace(later, rules=1)).lines[0].verdict == "supported"


def test_a_claim_of_a_users_own_is_named_by_set_and_name(own_sets):
    claim = register_claim("mine", _claim())
    assert register_claim("mine", claim) is claim
    register_claim("mine", _claim(2, "rl_helps_more", 0.5))
    assert [found.number for _, found in find_claims([3, "mine/rl_helps"])] == [3, 1]
    ledger = make_ledger(tables(effects()), claim_sets()["mine"])
    assert [line.verdict for line in ledger.lines] == ["supported", "contradicted"]
    assert claim_sets()["mine"].reference(claim) == "mine/rl_helps"
    assert ECHO_CHAMBER.reference(CLAIMS[3]) == "3"


@pytest.mark.parametrize(
    ("set_name", "claim", "said"),
    [
        ("mine", _claim(1, "another"), "taken"),
        ("mine", _claim(2, "rl_helps"), "taken"),
        ("mine", _claim(2, ""), "not allowed"),
        ("a/b", _claim(2, "x"), "not allowed"),
    ],
)
def test_a_bad_or_taken_name_is_refused(own_sets, set_name, claim, said):
    register_claim("mine", _claim())
    with pytest.raises(UserError, match=said):
        register_claim(set_name, claim)


def test_one_set_has_one_version_of_the_rules_and_no_shipped_name(own_sets):
    register_claim("mine", _claim())
    with pytest.raises(UserError, match="rules 1"):
        register_claim("mine", _claim(2, "x"), rules=2)
    register_claim("echo_chamber", _claim())
    with pytest.raises(UserError, match="shipped"):
        claim_sets()


MODULE = """
from echochamber.claims.declare import Claim, Criterion, Evidence, Measurement
from echochamber.claims.registry import register_claim
from echochamber.claims.select import arm, gain


def measure(tables):
    return Evidence((Measurement("gain", gain(tables, arm(tables, "tg", "ppo"), "accuracy")),))


criterion = Criterion("gain", "gain/accuracy", "above", 0.0, "pass@1 at the end minus at the base")
claim = Claim(1, "RL helps", "mine", ("tg/ppo",), (criterion,), "it hurts", measure, name="rl_helps")
register_claim("of_a_module", claim)
"""


def test_a_recipe_names_claims_of_its_module_and_unknown_ones_are_refused(own_sets, tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    data = load_recipe("smoke", []).resolved()
    named = {"modules": [str(tmp_path / "mine.py")], "claims": [1, "of_a_module/rl_helps"]}
    assert Recipe.parse(data | named, "test").claims == (1, "of_a_module/rl_helps")
    for wrong, said in (
        (99, "1, 2, 3"),
        ("of_a_module/x", "rl_helps"),
        ("x/y", "echo_chamber"),
        ("x", "SET/NAME"),
    ):
        with pytest.raises(UserError, match=said):
            Recipe.parse(data | named | {"claims": [wrong]}, "test")
