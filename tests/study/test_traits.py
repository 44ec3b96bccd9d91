"""Traits that overlap, through a whole study: log, records, scores, tables, page and summary."""

import json

import polars as pl
import pytest

from echochamber.analysis.study_folder import load_study
from echochamber.analysis.study_tables.collect import collect
from echochamber.core import traits
from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.traits import Trait, registered_traits
from echochamber.study.checkpoint_context import checkpoint_context
from echochamber.study.recipe import load_recipe
from echochamber.study.run import run_recipe
from tests.api.test_examples import ARM, TINY

pytestmark = pytest.mark.medium

QUANTITIES = ("rate", "accuracy_with", "accuracy_without")
SMALLER = [override for override in TINY[:-1] if "mixtures" not in override]
SMALLER += ["mixtures.tg_omi2.budget_tokens=3K"]
SMALLER += ["evaluate={count: 6, samples: {ends: 3, between: 0}, max_new_tokens: 32}"]
SMALLER += [f"rl.grpo.{key}={value}" for key, value in ARM.items()]
DECLARED = [
    "behaviours.digit={kind: trait, matches: '[0-9]', title: a digit}",
    "behaviours.letter={kind: trait, matches: '[a-z]'}",
    "behaviours.never={kind: trait, contains: '\u2603'}",
    "behaviours.marked={contains: '\u2603', of: tinygsm}",
]


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """(with traits, the same recipe without any)"""
    folders = []
    for overrides in ([*DECLARED], DECLARED[-1:]):
        folder = tmp_path_factory.mktemp("study")
        run_recipe(load_recipe("smoke", [*SMALLER, "grid.include=[{rl: grpo}]", *overrides]), folder)
        folders.append(folder)
    return folders


def _files(folder, kind, name):
    study = json.loads((folder / "study.json").read_text())
    return [folder / node["folder"] / name for node in study["nodes"] if node["kind"] == kind]


def test_rollouts_are_logged_with_intervals(studies):
    (path,) = _files(studies[0], "rl", "metrics.jsonl")
    rows = list(read_metrics(path))
    assert {
        f"trait/{name}/{quantity}{end}"
        for name in ("digit", "letter", "never")
        for quantity in QUANTITIES
        for end in ("", "_low", "_high")
    } <= rows[0].keys()
    for row in rows:
        assert row["trait/digit/rate_low"] <= row["trait/digit/rate"] <= row["trait/digit/rate_high"]
        assert row["trait/never/rate"] == 0
        assert row["trait/never/accuracy_with"] is None
        assert sum(value for key, value in row.items() if key.endswith("/share")) == pytest.approx(1)
    assert "format/digit/share" not in rows[0]
    (kept,) = _files(studies[0], "rl", "rollouts.parquet")
    step = pl.read_parquet(kept).filter(pl.col("step") == 1)
    assert step["trait_letter"].mean() == pytest.approx(rows[0]["trait/letter/rate"])


def test_records_and_scores_agree_with_the_texts(studies):
    for folder in {path.parent for path in _files(studies[0], "evaluate", "summary.json")}:
        records = pl.read_parquet(folder / "records.parquet")
        holds = records["text"].str.contains("[0-9]")
        assert holds.to_list() == records["trait_digit"].to_list()
        sampled = records.filter(pl.col("sample") >= 0)
        (row, *_) = json.loads((folder / "summary.json").read_text())
        part = sampled.filter((pl.col("problem_set") == row["problem_set"]) & (pl.col("step") == row["step"]))
        assert row["traits"]["digit"]["rate"] == pytest.approx(part["trait_digit"].mean())
        without = part.filter(~pl.col("trait_letter"))["correct"]
        assert row["traits"]["letter"]["accuracy_without"] == (without.mean() if len(without) else None)
        low, high = row["intervals"]["traits"]["digit"]["rate"]
        assert low <= row["traits"]["digit"]["rate"] <= high
        assert (part["trait_digit"] & part["trait_letter"]).any(), "traits that hold together"


def test_summary_page_and_tables(studies):
    summary = json.loads((studies[0] / "summary.json").read_text())
    (arm,) = summary["arms"]
    assert arm["final"]["traits"].keys() == {"digit", "letter", "never"}
    assert arm["base"]["intervals"]["traits"]["digit"]["rate"] is not None
    assert "trait never: no completion has it; is its rule as intended?" in summary["missing"]
    assert "format marked: no completion is written in it; is its rule as intended?" in summary["missing"]
    page = (studies[0] / "report.html").read_text()
    assert "How often does each trait hold" in page
    assert "digit: a digit." in page
    assert "Rollouts with the trait letter (share)" in page
    study = load_study(studies[0])
    assert study.traits == {
        "digit": "a digit",
        "letter": "text matching '[a-z]'",
        "never": "text containing '\u2603'",
    }
    assert list(study.own_formats) == ["marked"]
    scores = collect(studies[0]).frames["scores"]
    rate = scores.filter((pl.col("quantity") == "trait/digit/rate") & (pl.col("step") > 0))["value"]
    assert rate[0] == arm["final"]["traits"]["digit"]["rate"]


def test_a_checkpoint_is_scored_with_the_traits_of_its_study(studies, capsys):
    (path,) = _files(studies[0], "rl", "checkpoints/step_2")
    context = checkpoint_context(path)
    assert "traits: digit, letter, never" in capsys.readouterr().err
    with context.formats():
        assert list(registered_traits()) == ["digit", "letter", "never"]
    assert registered_traits() == {}
    assert context.identity()["behaviours"]["digit"] == {"kind": "trait", "matches": "[0-9]"}


def test_without_traits_nothing_changes(studies):
    tracked, plain = studies
    for kind, name in (("pretrain", "metrics.jsonl"), ("shards", "plan.json")):
        pairs = zip(_files(tracked, kind, name), _files(plain, kind, name), strict=True)
        assert all(a.read_bytes() == b.read_bytes() for a, b in pairs)
    (path,), (other,) = (_files(folder, "rl", "metrics.jsonl") for folder in studies)
    for row, without in zip(read_metrics(path), read_metrics(other), strict=True):
        assert {key: value for key, value in row.items() if not key.startswith("trait/")} == without
    assert "trait" not in (plain / "summary.json").read_text()
    assert '"traits"' not in (plain / "study.json").read_text()
    for path in _files(plain, "evaluate", "summary.json"):
        assert "trait" not in path.read_text()
    assert "trait" not in (plain / "report.html").read_text().split('id="data">')[1].split("</script>")[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("{kind: trait, matches: x, answer_rule: box}", "a trait has no answer_rule"),
        ("{kind: habit, matches: x}", "'habit'.*'format' or 'trait'"),
        ("{kind: trait}", "one of matches, contains, opening"),
        ("{kind: trait, python: 'os:system'}", "no module 'os'"),
    ],
)
def test_what_is_refused(override, said):
    with pytest.raises(UserError, match=said):
        load_recipe("smoke", [f"behaviours.mine={override}"])


def test_traits_of_a_module(tmp_path, monkeypatch):
    monkeypatch.setattr(traits, "_REGISTRY", {})
    path = tmp_path / "own_traits.py"
    path.write_text(
        "from echochamber import Trait, register_trait\n"
        "register_trait(Trait('loud', str.isupper, 'capitals'))\n"
    )
    load_recipe("smoke", [f"modules=[{path}]"])
    assert registered_traits()["loud"] == Trait("loud", str.isupper, "capitals")
    path = tmp_path / "failing_traits.py"
    path.write_text(
        "from echochamber import Trait, register_trait\n"
        "register_trait(Trait('first', lambda text: text[0] == 'A'))\n"
    )
    with pytest.raises(UserError, match=r"trait 'first': IndexError.*line 2"):
        load_recipe("smoke", [f"modules=[{path}]"])
    assert list(registered_traits()) == ["loud"]
