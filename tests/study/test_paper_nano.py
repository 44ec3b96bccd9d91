"""paper-nano holds what its claims compare: arms, seeds, problem sets, samples and temperatures."""

from pathlib import Path

import pytest

from echochamber.core.artifacts import Store
from echochamber.core.formats import classify, extra_formats
from echochamber.data.problem_sets import reference_corpus
from echochamber.data.styles import render
from echochamber.data.world import draw_problem
from echochamber.data.world.stream import stream
from echochamber.model.tokenizer import train_tokenizer
from echochamber.papers.echo_chamber.claim_set import CLAIMS
from echochamber.papers.echo_chamber.phase import FIRST as FIRST_FORMAT
from echochamber.papers.echo_chamber.phase import SECOND as SECOND_FORMAT
from echochamber.papers.echo_chamber.winners import SIZE_ARM
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.verify.behaviours import behaviour_formats

CORE = {1, 2, 3, 4, 7, 14, 15}
FIRST = "nano-0.8m"
NEEDS_SETS = {16: "hard", 17: "hard", 18: "beyond", 19: "overlap", 20: "hard"}


@pytest.fixture(scope="module", params=["core", "full"])
def scoped(request):
    recipe = load_recipe("paper-nano", [f"scope={request.param}"])
    return request.param, recipe, build_graph(recipe, Store(Path("nowhere")))


def _seeds(graph, mixture, arm, size=FIRST):
    return {
        n.seed
        for n in graph.nodes.values()
        if n.kind == "rl" and (n.mixture, n.arm, n.size) == (mixture, arm, size)
    }


def _evaluations(graph, mixture, arm):
    """[(settings of the evaluation, node)] of an arm at the first size."""
    recipe = graph.recipe
    found = [
        n
        for n in graph.nodes.values()
        if n.kind == "evaluate" and (n.mixture, n.arm, n.size) == (mixture, arm, FIRST)
    ]
    return [(recipe.also_evaluate[n.evaluation] if n.evaluation else recipe.evaluate, n) for n in found]


def test_every_arm_of_every_claim_runs_on_enough_seeds(scoped):
    scope, recipe, graph = scoped
    assert set(recipe.claims) == (CORE if scope == "core" else set(CLAIMS))
    for number in recipe.claims:
        for place in CLAIMS[number].arms:
            if not place.startswith("*"):
                seeds = _seeds(graph, *place.split("/"))
                assert len(seeds) >= (6 if scope == "full" and number in CORE else 3), (number, place)
    if scope == "full":
        named = {place for claim in CLAIMS.values() for place in (*claim.nulls, *claim.sensitivity)} - {
            "bandit"
        }
        assert all(len(_seeds(graph, *place.split("/"))) >= 3 for place in named)
        assert all(len(_seeds(graph, "tg_omi1_omi2", SIZE_ARM, size)) >= 3 for size in recipe.sizes)


def test_ends_have_64_samples_and_both_sides_of_a_difference_the_same_problems(scoped):
    _, recipe, graph = scoped
    assert recipe.evaluate.samples.ends == 64
    assert recipe.evaluate.samples.between == 8
    assert recipe.evaluate.temperature == 1.0
    for number in recipe.claims:
        for place in CLAIMS[number].arms:
            if place.startswith("*"):
                continue
            sets = {
                name
                for how, node in _evaluations(graph, *place.split("/"))
                if how.split == "test"
                for name in how.sets
            }
            wanted = NEEDS_SETS.get(number)
            assert {"medium"} <= sets
            assert wanted is None or wanted in sets, (number, place)


def test_claim_4_has_two_halves_of_64_at_every_checkpoint_and_a_temperature_above_training(scoped):
    _, recipe, graph = scoped
    found = _evaluations(graph, "tg_omi1_omi2", "ppo")
    halves = {
        how.temperature
        for how, _ in found
        if how.split == "test"
        and min(how.samples.ends, how.samples.between) >= 128
        and how.sets[0] == "medium"
    }
    dev = {
        how.temperature
        for how, _ in found
        if how.split == "dev" and min(how.samples.ends, how.samples.between) >= 64
    }
    heat = recipe.rl["ppo"].temperature
    assert halves == dev
    assert heat in halves
    assert max(halves) > heat > min(halves)


def test_claim_15_has_its_rates_on_dev_and_as_many_samples_as_ppo(scoped):
    _, recipe, graph = scoped
    samples = {
        name: arm.steps * arm.prompts_per_step * arm.samples_per_prompt for name, arm in recipe.rl.items()
    }
    rates = [recipe.rl[name].optimizer.lr for name in ("ei_lr_low", "ei", "ei_lr_high")]
    assert rates == sorted(set(rates))
    for name in ("ei_lr_low", "ei", "ei_lr_high"):
        assert samples[name] == pytest.approx(samples["ppo"], rel=0.01)
        assert any(how.split == "dev" for how, _ in _evaluations(graph, "8xtg", name))


def test_one_epoch_is_the_fixed_set_of_2048_problems(scoped):
    _, recipe, _ = scoped
    for name in ("ppo", "grpo", "ppo_random", "ppo_hard"):
        assert recipe.rl[name].problems.count == 2048
        assert recipe.rl[name].steps * recipe.rl[name].prompts_per_step >= 2048


def test_the_kl_arms_weigh_what_their_names_say(scoped):
    _, recipe, _ = scoped
    weights = {
        "ppo": 0.001,
        "ppo_kl_0": 0,
        "ppo_kl_1e-2": 0.01,
        "ppo_kl_1e-1": 0.1,
        "ppo_kl_3e-1": 0.3,
        "ppo_kl_1": 1,
    }
    assert {name: recipe.rl[name].kl.coef for name in weights} == weights
    assert {(recipe.rl[name].kl.place, recipe.rl[name].kl.estimator) for name in weights} == {
        ("reward", "k1")
    }


def test_sensitivity_arms_change_one_thing_each(scoped):
    _, recipe, _ = scoped
    plain = recipe.rl["ppo"].resolved()
    for name in (
        "ppo_random",
        "ppo_hard",
        "ppo_other_average",
        "ppo_box",
        "ppo_cold",
        "ppo_lr_low",
        "ppo_lr_high",
    ):
        other = recipe.rl[name].resolved()
        assert len([key for key in plain if plain[key] != other[key] and key != "checkpoints"]) == 1, name
    rate = plain["optimizer"]["lr"]
    assert recipe.rl["ppo_lr_low"].optimizer.lr == pytest.approx(rate / 3, rel=0.01)
    assert recipe.rl["ppo_lr_high"].optimizer.lr == pytest.approx(rate * 3, rel=0.01)


def test_probes_stand_at_the_arms_that_the_recipe_names_and_at_their_bases(scoped):
    scope, recipe, graph = scoped
    probed = {(n.mixture, n.arm, n.seed) for n in graph.nodes.values() if n.kind == "probe"}
    trained = {
        (n.mixture, n.arm, n.seed)
        for n in graph.nodes.values()
        if n.kind == "rl" and n.mixture == "tg_omi1_omi2" and n.arm in ("ppo", "grpo", "ei")
    }
    assert trained
    assert probed == trained | {("tg_omi1_omi2", None, seed) for _, _, seed in trained}
    everywhere = build_graph(
        recipe.model_copy(update={"probe": recipe.probe.model_copy(update={"where": {}})}),
        Store(Path("nowhere")),
    )
    counts = {
        kind: sum(n.kind == kind for n in everywhere.nodes.values()) for kind in ("probe", "pretrain", "rl")
    }
    from_earlier = sum(n.kind == "rl" and n.from_step is not None for n in everywhere.nodes.values())
    assert counts["probe"] == counts["pretrain"] + counts["rl"] + from_earlier, scope


def test_scopes_share_the_artifacts_of_core():
    core, full = (
        build_graph(load_recipe("paper-nano", [f"scope={scope}"]), Store(Path("nowhere")))
        for scope in ("core", "full")
    )
    names = {node.spec.name for node in full.nodes.values()}
    assert {node.spec.name for node in core.nodes.values()} <= names


@pytest.mark.medium
def test_behaviours_of_equal_length_are_equally_many_tokens():
    """What the triple quotes of `twins` are not: a longer twin is no neutral one."""
    recipe = load_recipe("paper-nano", [])
    tokenizer = train_tokenizer(
        reference_corpus(recipe.world, 0, recipe.tokenizer.documents, recipe.tokenizer.styles),
        recipe.tokenizer.vocab_size,
    )

    def lengths(mixture, source, share):
        style = recipe.mixtures[mixture].sources[source].style.model_copy(update={"double_quotes": share})
        problems = (draw_problem(recipe.world, 0, "train", index) for index in range(100))
        return [
            len(tokenizer.encode(render(problem, "tinygsm", stream("s", number), style)))
            for number, problem in enumerate(problems)
        ]

    for mixture, source in (("twins_even", "tinygsm"), ("phase_s50", "first"), ("phase_s50", "second")):
        assert lengths(mixture, source, 1.0) == lengths(mixture, source, 0.0)
    assert lengths("twins", "tinygsm", 1.0) != lengths("twins", "tinygsm", 0.0)


def test_the_phase_map_tells_its_two_formats_apart():
    recipe = load_recipe("paper-nano", [])
    with extra_formats(behaviour_formats(recipe.behaviours_of("phase_s50"))):
        for source, name in (("first", FIRST_FORMAT), ("second", SECOND_FORMAT)):
            style = recipe.mixtures["phase_s50"].sources[source].style
            texts = [
                render(draw_problem(recipe.world, 0, "train", index), "tinygsm", stream("s", index), style)
                for index in range(40)
            ]
            assert {classify(text) for text in texts} == {name}
    assert list(recipe.behaviours_of("tg")) == ["tinygsm_single"]
