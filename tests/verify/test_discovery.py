"""Kinds of completions on rendered mixtures that the thresholds were fixed on, and what is refused."""

import numpy as np
import polars as pl
import pytest
import yaml

pytest.importorskip("sklearn", reason="extra [discover]")

from sklearn.metrics import adjusted_rand_score

from echochamber.core.errors import UserError
from echochamber.core.formats import classify, extra_formats
from echochamber.data.styles import StyleKnobs, render
from echochamber.data.world import WorldConfig, problem_set
from echochamber.study.discover_checkpoint import discover_checkpoint, discover_in
from echochamber.verify.behaviours import BehaviourConfig, behaviour_formats
from echochamber.verify.discovery.assign import told_by_beginning
from echochamber.verify.discovery.features import features, structures
from echochamber.verify.discovery.kinds import STABLE, find_kinds, similarities, splits_undone
from echochamber.verify.discovery.rules import labelled_by, rules_of

ONE = {"phrasings": 1}


def made(parts, problems=40, samples=6):
    """Completions, their problems, and the part of the mixture that wrote each."""
    world = WorldConfig(families=["shopping", "sharing", "tank", "wages"])
    stream = np.random.default_rng(0)
    texts, ids, labels = [], [], []
    for problem in problem_set(world, "medium", "train", problems, 0):
        for _ in range(samples):
            part = int(stream.choice(len(parts), p=[share for *_, share in parts]))
            style, knobs, _ = parts[part]
            texts.append(render(problem, style, stream, StyleKnobs.parse(knobs, "test")))
            ids.append(problem.id)
            labels.append(part)
    return texts, ids, np.array(labels)


@pytest.mark.medium
def test_formats_and_twins_are_found_blind():
    for parts in (
        [("omi1", ONE, 0.5), ("metamath", ONE, 0.3), ("gsm8k", ONE, 0.2)],
        [("omi2", ONE | {"latex": 1}, 0.5), ("omi2", ONE | {"latex": 0}, 0.5)],
    ):
        texts, ids, labels = made(parts)
        found = find_kinds(texts, ids)
        assert adjusted_rand_score(labels, found.labels) >= 0.98
        assert len(found.stability) == len(parts)
        rules = rules_of(texts, found.labels)
        assert adjusted_rand_score(labels, labelled_by(rules, texts)) >= 0.98


def test_one_format_has_no_stable_kinds():
    for style in ("gsm8k", "omi2"):
        texts, ids, _ = made([(style, ONE, 1.0)])
        assert discover_in(texts, ids).kinds == []


def test_the_block_can_be_pasted():
    texts, ids, labels = made([("omi1", ONE, 0.5), ("gsm8k", ONE, 0.5)])
    found = discover_in(texts, ids)
    settings = yaml.safe_load(found.block)["behaviours"]
    assert list(settings) == [kind.name for kind in found.kinds]
    rows = behaviour_formats({k: BehaviourConfig.parse(v, k) for k, v in settings.items()})
    with extra_formats(rows):
        names = [classify(text) for text in texts]
    assert adjusted_rand_score(labels, names) >= 0.98
    assert found.left_over <= 0.02


def test_a_kind_of_prose_without_a_common_opening_has_a_rule_of_words_in_a_row():
    names = [f"{a}{b}" for a in ("Ann", "Bo", "Cy", "Di", "El", "Flo", "Gus") for b in ("a", "o", "e")]
    texts = [f"{name} is the mother" for name in names] + names
    labels = np.array([0] * len(names) + [1] * len(names))
    rules = rules_of(texts, labels)
    assert (rules[0].key, rules[0].precision, rules[0].recall) == ("contains", 1.0, 1.0)
    assert rules[0].text.startswith(" is")
    assert all(rule.text.strip() for rule in rules.values())


def test_the_first_telling_line_decides_what_two_kinds_share():
    """Four of a hundred begin as functions and end as prose, or the other way round; the beginning counts."""
    program, prose = "def solve():\n    return {0}\n", "We add step by step.\nThe answer is {0}.\n"
    texts = [program.format(i) for i in range(60)] + [prose.format(i) for i in range(60)]
    texts += ["def solve():\nThe answer is 3.", "We add step by step.\n    return 3"] * 3
    labels = np.array([0] * 60 + [1] * 60 + [1, 0] * 3)
    told = told_by_beginning(structures(texts, [str(i % 20) for i in range(len(texts))]), labels)
    assert told[:120].tolist() == [0] * 60 + [1] * 60
    assert told[120:].tolist() == [0, 1] * 3


@pytest.mark.medium
def test_mixtures_with_completions_that_change_their_format_are_told_apart():
    """One completion in twelve goes on in the other format after its first half."""
    texts, ids, labels = made([("omi1", ONE, 0.5), ("omi2", ONE, 0.5)])
    stream = np.random.default_rng(1)
    for i in range(0, len(texts), 12):
        other = int(stream.choice(np.flatnonzero(labels != labels[i])))
        lines, further = texts[i].splitlines(), texts[other].splitlines()
        texts[i] = "\n".join(lines[: len(lines) // 2] + further[len(further) // 2 :])
    found = find_kinds(texts, ids)
    assert adjusted_rand_score(labels, found.labels) >= 0.98
    assert adjusted_rand_score(labels, labelled_by(rules_of(texts, found.labels), texts)) >= 0.98


def test_a_broken_program_keeps_the_features_of_its_other_lines():
    whole = "def solve() -> int:\n    'How many?'\n    total = 3 + 4\n    result = total\n    return result"
    broken = whole.replace("3 + 4", "3 + + How? 4 (")
    with pytest.raises(SyntaxError):
        compile(broken, "broken", "exec")
    syntax = {name for name in features(whole) if name.startswith("syntax")}
    assert {"syntax FunctionDef", "syntax Assign", "syntax Return", "syntax Expr"} <= syntax
    assert syntax == {name for name in features(broken) if name.startswith("syntax")}


def test_rules_prefer_whole_beginnings_and_anchor_lines_where_that_is_needed():
    quoted = [f"def f():\n    '{'abc'[i % 3]}?'\n    return {i}" for i in range(60)]
    double = [f"def f():\n    \"it's {i}'s\"\n    return {i}" for i in range(60)]
    rules = rules_of([*quoted, *double], np.array([0] * 60 + [1] * 60))
    assert (rules[0].text.strip("\n"), rules[0].precision, rules[0].recall) == ("    '", 1.0, 1.0)


def test_a_kind_that_an_earlier_rule_takes_whole_has_a_rule_that_finds_nothing():
    texts = [f"def f():\n    return {i % 7}" for i in range(60)]
    rules = rules_of(texts, np.repeat([0, 1], 30))
    assert [rules[kind].recall for kind in sorted(rules)] == [1.0, 0.0]
    assert rules[0].precision == 0.5


@pytest.mark.medium
def test_one_word_and_one_sentence_are_kinds_unless_the_problem_decides():
    names = ["Ann", "Bo", "Cy", "Di", "El", "Flo", "Gus", "Hal", "Ida", "Jo"]
    stream = np.random.default_rng(0)
    texts, ids, labels = [], [], []
    for problem in range(30):
        for _ in range(8):
            label = int(stream.integers(2))
            name, kin = names[stream.integers(10)], ["son", "aunt", "wife"][stream.integers(3)]
            texts.append([f" {kin}", f" {name} is the {kin} of {names[stream.integers(10)]}."][label])
            ids.append(str(problem))
            labels.append(label)
    found = find_kinds(texts, ids)
    assert adjusted_rand_score(labels, found.labels) == 1.0
    decided = discover_in(texts, [f"{label}-{name}" for label, name in zip(labels, ids, strict=True)])
    assert decided.kinds == []
    assert {one.name for one in decided.of_problems} >= {"tokens > 1", "tokens > 4"}
    assert all(one.correlation > 0.3 for one in decided.of_problems)


HOLDS = np.repeat(np.array([[1, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]]), 10, axis=0)
"""Ten rows each of four clusters: the first is far from the others."""
FOUR = np.repeat(np.arange(4), 10)
ALL = np.arange(40)


def test_parts_of_a_kind_that_resamples_find_whole_are_one():
    whole = np.where(FOUR == 0, 0, 1)
    assert similarities(FOUR, [(ALL, whole)] * 3) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    joined = splits_undone(HOLDS, FOUR, [(ALL, whole)] * 3)
    assert joined.tolist() == whole.tolist()
    assert similarities(joined, [(ALL, whole)] * 3) == [1.0, 1.0]


def test_only_the_nearest_are_joined_and_only_until_they_are_found():
    """Clusters 1 and 2 differ in one feature, 2 and 3 in two; resamples find 1 with 2, and 3 alone."""
    pair = np.where(FOUR == 2, 1, FOUR)
    assert splits_undone(HOLDS, FOUR, [(ALL, pair)]).tolist() == np.array([0, 1, 1, 2])[FOUR].tolist()
    assert splits_undone(HOLDS, FOUR, [(ALL, FOUR)]) is FOUR, "what is found again stays"


def test_what_resamples_never_find_ends_as_one_unstable_cluster():
    halves = np.where(ALL % 2, 1, 0)
    joined = splits_undone(HOLDS, FOUR, [(ALL, halves)] * 2)
    assert joined.tolist() == [0] * 40
    assert max(similarities(joined, [(ALL, halves)] * 2)) < STABLE


@pytest.mark.medium
def test_the_same_seed_gives_the_same_kinds():
    texts, ids, _ = made([("omi1", ONE, 0.5), ("gsm8k", ONE, 0.5)])
    assert discover_in(texts, ids, 3) == discover_in(texts, ids, 3)


def test_files_of_completions_and_what_is_refused(tmp_path):
    texts, ids, _ = made([("omi1", ONE, 0.5), ("gsm8k", ONE, 0.5)])
    path = tmp_path / "records.parquet"
    pl.DataFrame(
        {"text": [*texts, "greedy"], "problem_id": [*ids, ids[0]], "sample": [0] * len(ids) + [-1]}
    ).write_parquet(path)
    found = discover_checkpoint(str(path), None, {}, 64, 8, 0)
    assert (found.completions, found.problems, len(found.kinds)) == (240, 40, 2)
    pl.DataFrame({"text": texts[:20]}).write_parquet(path)
    with pytest.raises(UserError, match="20 completions are too few to find kinds in; at least 100"):
        discover_checkpoint(str(path), None, {}, 64, 8, 0)
    with pytest.raises(UserError, match=r"--limit 10 x --samples 2 = 20 completions are too few"):
        discover_checkpoint("runs/x", "all", {}, 10, 2, 0)
    with pytest.raises(UserError, match="a model needs --problems"):
        discover_checkpoint("runs/x", None, {}, 64, 8, 0)
    with pytest.raises(UserError, match="no such file"):
        discover_checkpoint("none.jsonl", None, {}, 64, 8, 0)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="is no Parquet file"):
        discover_checkpoint(str(path), None, {}, 64, 8, 0)
    (tmp_path / "rows.jsonl").write_text('{"words": "x"}\n')
    with pytest.raises(UserError, match="no text in the column 'text'; found words"):
        discover_checkpoint(str(tmp_path / "rows.jsonl"), None, {}, 64, 8, 0)


@pytest.mark.parametrize("text", ["", "\0", "def f(" * 3000, "```\n" + "(" * 9000, "\ud800 x"])
def test_odd_texts_have_features(text):
    assert features(text)
