"""Estimates: the arithmetic of measured rates, and a machine whose speed is known."""

import json

import pytest

from echochamber.core.artifacts import Store
from echochamber.rollout.speed import Speed, measure_speed
from echochamber.study import stage_estimates
from echochamber.study.cost import (
    Rates,
    Timed,
    describe_plan,
    measured_rates,
    wall_seconds,
)
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_estimates import estimate_seconds

RL, PLAIN = ("rl", "nano-0.8m", "ppo on easy"), ("rl", "nano-0.8m")


def _finish(graph, node, seconds):
    folder = graph.store.path(node.spec)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": node.spec.fingerprint}))
    (folder / "sittings.json").write_text(json.dumps([[0.0, seconds / 2], [100.0, 100.0 + seconds / 2]]))


def test_the_ratio_is_that_of_the_most_similar_finished_stages():
    rates = Rates(
        [
            Timed([RL, PLAIN, ("rl",), ()], estimated=100, taken=150),
            Timed([RL, PLAIN, ("rl",), ()], estimated=300, taken=650),
            Timed(
                [("pretrain", "nano-3m", ""), ("pretrain", "nano-3m"), ("pretrain",), ()],
                estimated=100,
                taken=50,
            ),
        ]
    )
    assert rates.ratio([RL, PLAIN, ("rl",), ()]) == 2.0
    assert rates.ratio([("rl", "nano-3m", "grpo on hard"), ("rl", "nano-3m"), ("rl",), ()]) == 2.0
    assert rates.ratio([("pretrain", "nano-0.8m", ""), ("pretrain", "nano-0.8m"), ("pretrain",), ()]) == 0.5
    assert (
        rates.ratio([("evaluate", "nano-0.8m", ""), ("evaluate", "nano-0.8m"), ("evaluate",), ()])
        == 850 / 500
    )
    assert Rates([]).ratio([()]) is None


def test_a_machine_half_as_fast_is_priced_within_a_quarter(tmp_path):
    """Seed 0 took twice its estimate, give or take 20%; seed 1 is priced from it."""
    recipe = load_recipe("paper-nano", ["scope=core", "seeds=[0,1]"])
    graph = build_graph(recipe, Store(tmp_path / "artifacts"))
    noise = [0.9, 1.2, 0.85, 1.1, 0.95]
    to_do = 0.0
    for number, node in enumerate(graph.nodes.values()):
        truth = 2 * estimate_seconds(node, recipe)
        if node.seed == 1:
            to_do += truth
        else:
            _finish(graph, node, truth * noise[number % 5])
    rates = measured_rates(graph)
    assert rates.count > 20
    text = describe_plan(recipe, tmp_path)
    minutes = float(text.splitlines()[-1].split("to go: ")[1].split()[0])
    assert minutes * 60 == pytest.approx(to_do, rel=0.25)
    assert "finished stages here" in text


def test_an_empty_folder_is_priced_by_a_timed_step(tmp_path, monkeypatch):
    recipe = load_recipe(
        "quickstart", ["forecast.runs=0", "sizes=[nano-0.8m]"]
    )  # a simulation takes as long with any model

    def minutes(speed):
        monkeypatch.setattr("echochamber.rollout.speed.measure_speed", lambda *_: speed)
        return float(describe_plan(recipe, tmp_path).splitlines()[-1].split("to go: ")[1].split()[0])

    train, sample = stage_estimates.TRAIN_TOKENS_PER_S, stage_estimates.SAMPLE_TOKENS_PER_S
    plain = minutes(Speed(train, sample))
    assert minutes(None) == plain
    slow_training, slow_sampling = minutes(Speed(train / 2, sample)), minutes(Speed(train, sample / 2))
    assert plain < slow_training < 2 * plain
    assert plain < slow_sampling < 2 * plain
    fixed = (
        sum(
            stage_estimates.FIXED_SECONDS[node.kind]
            for node in build_graph(recipe, Store(tmp_path)).nodes.values()
        )
        / 60
    )
    assert minutes(Speed(train / 2, sample / 2)) == pytest.approx(2 * plain - fixed, abs=0.21)


@pytest.mark.medium
def test_training_is_timed_for_small_models_only():
    runtime = load_recipe("smoke", []).runtime
    found = measure_speed("nano-0.2m", 320, runtime)
    assert found.train > 0
    assert found.sample > 0
    assert measure_speed("paper-150m", 32_000, runtime) is None


def test_two_workers_take_half_as_long_where_stages_are_many_and_no_less_than_the_longest_chain(tmp_path):
    graph = build_graph(load_recipe("paper-nano", ["scope=core"]), Store(tmp_path))
    prices = {name: estimate_seconds(node, graph.recipe) for name, node in graph.nodes.items()}
    alone = wall_seconds(graph, prices, 1)
    assert alone == pytest.approx(
        sum({node.spec.name: prices[node.id] for node in graph.nodes.values()}.values())
    )
    assert wall_seconds(graph, prices, 2) == pytest.approx(alone / 2, rel=0.1)
    chain: dict[str, float] = {}
    for name, node in graph.nodes.items():
        chain[name] = prices[name] + max((chain[parent] for parent in node.parents), default=0.0)
    assert wall_seconds(graph, prices, 1000) == pytest.approx(max(chain.values()))
    assert wall_seconds(graph, {}, 2) == 0


@pytest.mark.parametrize(("scope", "stages"), [("smoke", 50), ("core", 158), ("full", 737)])
def test_every_scope_of_paper_nano_has_a_plan(tmp_path, monkeypatch, scope, stages):
    monkeypatch.setattr("echochamber.rollout.speed.measure_speed", lambda *_: None)
    text = describe_plan(load_recipe("paper-nano", [f"scope={scope}"]), tmp_path)
    assert text.startswith(f"paper-nano, scope {scope}: {stages} stages")
    assert text.count("to do, about") == stages


def test_more_samples_and_checkpoints_cost_more(tmp_path):
    cheap, dear = (load_recipe("quickstart", [f"evaluate.samples.between={n}"]) for n in (0, 8))
    costs = []
    for recipe in (cheap, dear):
        graph = build_graph(recipe, Store(tmp_path))
        (node,) = [n for n in graph.nodes.values() if n.kind == "evaluate" and n.arm]
        costs.append(estimate_seconds(node, recipe))
    assert costs[0] < costs[1]


def test_a_file_of_one_s_own_is_priced_by_its_size(tmp_path):
    """It has no budget and no number of documents; 20,000 documents were assumed, of any file."""
    line = json.dumps({"query": "What is 3 + 4?", "response": "It is 3 + 4 = 7.\nThe answer is: 7"}) + "\n"
    (tmp_path / "few.jsonl").write_text(line * 100)
    (tmp_path / "many.jsonl").write_text(line * 10_000)

    def pretraining(name):
        sources = f"mixtures.tg_omi2={{sources: {{mine: {{path: {tmp_path / name}, copies: 1}}}}}}"
        recipe = load_recipe("smoke", [sources])
        graph = build_graph(recipe, Store(tmp_path / "runs"))
        (node,) = [node for node in graph.nodes.values() if node.kind == "pretrain"]
        return estimate_seconds(node, recipe) - stage_estimates.FIXED_SECONDS["pretrain"]

    few = pretraining("few.jsonl")
    assert 0.01 < few < 1
    assert pretraining("many.jsonl") == pytest.approx(100 * few)
