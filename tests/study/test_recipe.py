"""The recipe grammar: inheritance, exclusions, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.core.resume import ResumePoint
from echochamber.data.world import FAMILIES
from echochamber.study.graph import build_graph
from echochamber.study.recipe import Recipe, load_recipe
from echochamber.study.recipe_files import shipped_recipes
from echochamber.study.run import run_recipe
from echochamber.study.stage_inputs import arm_source

from .tiny import OVERRIDES

RESULTS = Path(__file__).parents[2] / "results"


def _write(tmp_path, **changes):
    data = {
        "name": "mine",
        "seeds": [0, 1],
        "mixtures": {"a": {"sources": {"tinygsm": {"copies": 1}}}, "b": {"sources": {"omi2": {"copies": 2}}}},
        "sizes": ["nano-0.2m"],
        "rl": {
            "grpo": {"algorithm": "grpo", "optimizer": {"lr": 1e-4}},
            "null": {"inherits": "grpo", "reward": "random"},
        },
    } | changes
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_say_what_they_cost(name):
    recipe = load_recipe(name, [])
    assert recipe.name == name
    assert recipe.question.endswith("?")
    assert "core" in recipe.summary or "GPU" in recipe.summary
    assert Recipe.parse(recipe.resolved(), "again") == recipe


@pytest.mark.parametrize("file", sorted(RESULTS.glob("**/*.yaml")), ids=lambda file: file.parent.name)
def test_recipes_of_results_follow_no_other_recipe(file):
    """A published result keeps its recipe when a shipped one changes."""
    assert "extends" not in yaml.safe_load(file.read_text())
    assert load_recipe(str(file), []).name == file.parent.name


def test_an_arm_inherits_nested_keys(tmp_path):
    recipe = load_recipe(_write(tmp_path), ["rl.null.optimizer.weight_decay=0.3"])
    assert recipe.rl["null"].reward == "random"
    assert recipe.rl["null"].optimizer.lr == 1e-4
    assert recipe.rl["null"].optimizer.weight_decay == 0.3
    assert recipe.rl["grpo"].reward == "correct"


def test_inheriting_in_a_circle_is_refused(tmp_path):
    path = _write(tmp_path, rl={"a": {"inherits": "b"}, "b": {"inherits": "a"}})
    with pytest.raises(UserError, match="inherits"):
        load_recipe(path, [])


def test_arms_share_pretraining_and_evaluations_share_the_base(tmp_path):
    graph = build_graph(load_recipe(_write(tmp_path), []), Store(tmp_path / "artifacts"))
    kinds = [node.kind for node in graph.nodes.values()]
    assert kinds.count("pretrain") == 4
    assert kinds.count("rl") == 8
    assert kinds.count("evaluate") == 4 + 8
    assert kinds.count("tokenizer") == 1
    assert len({node.spec.fingerprint for node in graph.nodes.values()}) == len(graph.nodes)


def test_a_changed_rate_reruns_only_what_lies_downstream(tmp_path):
    def fingerprints(*overrides):
        graph = build_graph(load_recipe(_write(tmp_path), list(overrides)), Store(tmp_path / "artifacts"))
        return {name: node.spec.fingerprint for name, node in graph.nodes.items()}

    before, after = fingerprints(), fingerprints("rl.null.optimizer.lr=5e-5")
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all("/null/" in name for name in changed)
    pretrained = fingerprints("pretrain.optimizer.lr=1e-4")
    same = {name for name in before if before[name] == pretrained[name]}
    assert {name.split("/")[0] for name in same} == {"tokenizer", "problems", "shards"}


def test_exclusions_leave_out_exactly_what_they_name(tmp_path):
    path = _write(tmp_path, grid={"exclude": [{"mixture": "b", "rl": "null"}, {"mixture": "a", "seed": 1}]})
    graph = build_graph(load_recipe(path, []), Store(tmp_path / "artifacts"))
    arms = {(node.mixture, node.arm, node.seed) for node in graph.nodes.values() if node.kind == "rl"}
    assert arms == {("a", "grpo", 0), ("a", "null", 0), ("b", "grpo", 0), ("b", "grpo", 1)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 3}, ["'seed'", "seeds"]),
        ({"sizes": ["nano-9b"]}, ["nano-9b", "nano-0.8m"]),
        ({"pretrain": {"size": "nano-3m"}}, ["pretrain.size", "batch_tokens"]),
        ({"rl": {"grpo": {"learning_rate": 1}}}, ["rl.grpo.learning_rate", "optimizer"]),
        ({"mixtures": {"a": {"sources": {"tinygsm": {"copis": 1}}}}}, ["copis", "copies"]),
        ({"seeds": [1, 1]}, ["seeds"]),
        ({"world": {"families": ["astrology"]}}, ["astrology", "shopping"]),
        ({"name": "../up"}, ["name"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, words):
    with pytest.raises(UserError) as caught:
        load_recipe(_write(tmp_path, **changes), [])
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_unknown_recipe_lists_what_there_is():
    with pytest.raises(UserError, match="quickstart"):
        load_recipe("quickstrat", [])


def test_a_users_problem_file_is_keyed_by_its_content(tmp_path):
    problems = tmp_path / "mine.jsonl"
    problems.write_text('{"question": "1 + 1?", "answer": "2"}\n')
    overrides = [f"evaluate.sets=[{problems}]", f"rl.grpo.problems.set={problems}"]

    def node_names_and_prints():
        graph = build_graph(load_recipe(_write(tmp_path), overrides), Store(tmp_path / "artifacts"))
        return {name: node.spec.fingerprint for name, node in graph.nodes.items()}

    before = node_names_and_prints()
    problems.write_text('{"question": "1 + 1?", "answer": "3"}\n')
    after = node_names_and_prints()
    changed = {name for name in before if before[name] != after[name]}
    assert {name.split("/")[0] for name in changed} == {
        "problems",
        "contamination",
        "rl",
        "evaluate",
        "forecast",
    }
    with pytest.raises(UserError, match="no such file"):
        build_graph(
            load_recipe(_write(tmp_path), ["evaluate.sets=[none.jsonl]"]), Store(tmp_path / "artifacts")
        )


def test_real_sources_are_checked_against_the_test_sets(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    path = _write(
        tmp_path,
        mixtures={
            "a": {"sources": {"own": {"path": str(rows), "copies": 1}}},
            "b": {"sources": {"omi2": {"copies": 1}}},
        },
    )
    graph = build_graph(load_recipe(path, []), Store(tmp_path / "artifacts"))
    assert graph.nodes["shards/a"].parents == ("tokens/own",)
    assert any(parent.startswith("problems/test") for parent in graph.nodes["tokens/own"].parents)
    assert graph.nodes["shards/b"].parents == ("tokenizer",)


def test_two_problem_files_of_one_name_are_two_sets(tmp_path):
    paths = []
    for place, answer in (("a", 2), ("b", 3)):
        (tmp_path / place).mkdir()
        paths.append(tmp_path / place / "test.jsonl")
        paths[-1].write_text(f'{{"question": "1 + 1?", "answer": "{answer}"}}\n')
    overrides = [f"evaluate.sets=[{paths[0]}, {paths[1]}]"]
    graph = build_graph(load_recipe(_write(tmp_path), overrides), Store(tmp_path / "artifacts"))
    tested = [node for node in graph.nodes.values() if node.id.endswith("test.jsonl/256")]
    assert len({node.spec.fingerprint for node in tested}) == 2
    evaluations = [node for node in graph.nodes.values() if node.kind == "evaluate"]
    assert all({node.id for node in tested} <= set(node.parents) for node in evaluations)


def test_a_reworded_family_makes_anew_what_holds_it_and_nothing_else(tmp_path, monkeypatch):
    def fingerprints(families):
        graph = build_graph(
            load_recipe(_write(tmp_path, world={"families": families}), []), Store(tmp_path / "artifacts")
        )
        return {name: node.spec.fingerprint for name, node in graph.nodes.items()}

    with_it, without = fingerprints(["tank", "garden"]), fingerprints(["tank", "collect"])
    monkeypatch.setitem(
        FAMILIES, "garden", replace(FAMILIES["garden"], version=FAMILIES["garden"].version + 1)
    )
    assert fingerprints(["tank", "collect"]) == without
    changed = fingerprints(["tank", "garden"])
    assert all(changed[name] != with_it[name] for name in changed)


def _recipe(folder, name, text):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_a_recipe_extends_another_key_by_key(tmp_path):
    middle = _recipe(
        tmp_path, "middle", "extends: smoke\nname: middle\nrl: {second: {inherits: grpo, steps: 2}}\n"
    )
    last = _recipe(
        tmp_path, "last", "extends: middle.yaml\nname: last\nseeds: [4]\nrl: {second: {steps: 5}}\n"
    )
    recipe, smoke = load_recipe(str(last), ["rl.grpo.steps=7"]), load_recipe("smoke")
    assert (recipe.name, recipe.seeds, recipe.mixtures) == ("last", (4,), smoke.mixtures)
    assert {name: arm.steps for name, arm in recipe.rl.items()} == {"grpo": 7, "second": 5}
    assert recipe.rl["second"].max_new_tokens == smoke.rl["grpo"].max_new_tokens
    assert load_recipe(str(middle)).rl["second"].steps == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: smoke\n", "needs a name of its own"),
        ("extends: smok\nname: x\n", "'smok' is not known .did you mean 'smoke'.*there are .*smoke"),
        ("extends: none.yaml\nname: x\n", "none.yaml: no such recipe file"),
        ("extends: [smoke]\nname: x\n", r"extends is \['smoke'\]"),
        ("extends: x.yaml\nname: x\n", "extends this recipe"),
    ],
)
def test_what_may_not_be_extended(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        load_recipe(str(_recipe(tmp_path, "x", text)))


def test_prompt_of_a_recipe_reaches_every_stage_and_suffixes_have_two_names():
    inner = load_recipe("smoke", ["prompt={template: chat, suffix: '!', document_suffix: '?'}"])
    outer = load_recipe("smoke", ["prompt={template: chat}", "prompt_suffix='!'", "document_suffix='?'"])
    assert inner == outer
    assert (inner.prompt_suffix, inner.suffix_of_documents) == ("!", "?")
    assert load_recipe("smoke", ["prompt_suffix='!'"]).suffix_of_documents == "!"
    arm = arm_source(inner, inner.rl["grpo"], 0, {}, None)
    assert (arm.config.prompt.template, arm.config.prompt_suffix) == ("chat", "!")
    with pytest.raises(UserError, match=r"prompt\.suffix and prompt_suffix differ"):
        load_recipe("smoke", ["prompt={suffix: '!'}", "prompt_suffix='?'"])
    with pytest.raises(UserError, match=r"rl\.grpo\.prompt differs from the study's"):
        load_recipe("smoke", ["rl.grpo.prompt.template=chat"])


def test_data_that_follow_the_seed_are_drawn_anew_for_every_seed(tmp_path):
    def nodes(*overrides):
        return build_graph(
            load_recipe(_write(tmp_path), list(overrides)), Store(tmp_path / "artifacts")
        ).nodes

    shared, own = nodes(), nodes("data_seed=seed")
    assert [name for name in shared if name.startswith("shards/")] == ["shards/a", "shards/b"]
    drawn = [name for name in own if name.startswith(("shards/", "problems/"))]
    assert drawn == [
        "problems/test/all/256/seed0",
        "problems/test/all/256/seed1",
        "shards/a/seed0",
        "shards/a/seed1",
        "problems/train/all/2048/seed0",
        "problems/train/all/2048/seed1",
        "shards/b/seed0",
        "shards/b/seed1",
    ]
    assert len({own[name].spec.fingerprint for name in drawn}) == len(drawn)
    for node in own.values():
        assert all(
            parent.endswith(f"seed{node.seed}")
            for parent in node.parents
            if parent != "tokenizer" and node.seed
        )
    one = nodes("data_seed=1")
    seed_1 = "rl/a/nano-0.2m/grpo/seed1"
    assert own[seed_1].spec.fingerprint == one[seed_1].spec.fingerprint


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["evaluate.sets=[FOLDER/..]"], "is a folder, expected a file"),
        (["rl.grpo.problems.set=/dev/null"], "is no regular file, expected a file"),
        (["tokenizer.corpus=FOLDER"], "tokenizer.json: no such file or folder"),
        (["rl.null.algorithm=sft", "rl.null.completions=FOLDER"], "is a folder, expected a file"),
    ],
)
def test_a_folder_or_device_in_place_of_a_file_is_named(tmp_path, overrides, said):
    given = [one.replace("FOLDER", str(tmp_path)) for one in overrides]
    with pytest.raises(UserError, match=said):
        build_graph(load_recipe(_write(tmp_path), given), Store(tmp_path / "artifacts"))


def test_mixtures_share_the_token_ids_of_their_real_sources(tmp_path):
    """One artifact for each source, whatever the copies; other rows, suffixes or sets make another."""
    rows, problems = tmp_path / "rows.jsonl", tmp_path / "mine.jsonl"
    rows.write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    problems.write_text('{"question": "1 + 1?", "answer": "2"}\n')
    mixtures = {
        name: {"sources": {"own": {"path": str(rows), "copies": copies}}}
        for name, copies in (("a", 1), ("b", 4))
    }

    def prints(*overrides):
        path = _write(tmp_path, mixtures=mixtures)
        graph = build_graph(load_recipe(path, list(overrides)), Store(tmp_path / "artifacts"))
        return {
            name: node.spec.fingerprint
            for name, node in graph.nodes.items()
            if name[:6] in ("tokens", "shards")
        }

    before = prints()
    assert set(before) == {"tokens/own", "shards/a", "shards/b"}
    assert len(set(before.values())) == 3
    fewer = prints("mixtures.a.sources.own.copies=2")
    assert fewer["tokens/own"] == before["tokens/own"]
    assert fewer["shards/a"] != before["shards/a"]
    for change in (
        'document_suffix="\\n"',
        f"evaluate.sets=[{problems}]",
        "mixtures.a.sources.own.on_bad_row=skip",
    ):
        assert prints(change)["tokens/own"] != before["tokens/own"], change
    rows.write_text('{"question": "1 + 2?", "answer": "#### 3"}\n')
    assert prints()["tokens/own"] != before["tokens/own"]


@pytest.mark.parametrize(
    ("written", "seconds"), [("15m", 900), ("90s", 90), (45, 45), ("1.5h", 5400), ("20", 20)]
)
@pytest.mark.medium
def test_state_is_saved_as_often_as_the_recipe_says(tmp_path, monkeypatch, written, seconds):
    """And neither fingerprints nor results know of it."""
    given = []

    class Noted(ResumePoint):
        def __init__(self, artifact, settings):
            super().__init__(artifact, settings)
            given.append(settings.every_seconds)

    recipe = load_recipe("smoke", [*OVERRIDES, f"resume.every={written}"])
    graph, plain = (
        build_graph(one, Store(tmp_path / "a")) for one in (recipe, load_recipe("smoke", OVERRIDES))
    )
    assert [n.spec.fingerprint for n in graph.nodes.values()] == [
        n.spec.fingerprint for n in plain.nodes.values()
    ]
    for module in ("stages.pretrain", "rl.loop"):
        monkeypatch.setattr(f"echochamber.{module}.ResumePoint", Noted)
    if written == "15m":
        assert run_recipe(recipe, tmp_path / "study").failed == []
        assert given == [seconds, seconds]
    assert recipe.resume.every == seconds


@pytest.mark.parametrize("written", ["0", "-5", "soon", "15 days", "[1]"])
def test_a_time_that_is_none_is_named(written):
    with pytest.raises(UserError, match=r"resume\.every"):
        load_recipe("smoke", [f"resume.every={written}"])
