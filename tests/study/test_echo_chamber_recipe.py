"""Recipe `echo-chamber`: it has every run that a claim of version 2 reads, on the planned seeds."""

import pytest

from echochamber.core.artifacts import Store
from echochamber.papers.echo_chamber_2 import places as p
from echochamber.papers.echo_chamber_2.claim_set import ECHO_CHAMBER_2
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe

FEWEST_BESIDE = 6
"""Seeds of what stands beside a verdict and does not enter it."""
NULLS = ["random:0.3"]


def _runs(scope="full"):
    """`mixture/arm` -> seeds, over all sizes."""
    recipe = load_recipe("echo-chamber", [f"scope={scope}"])
    found: dict[str, set[int]] = {}
    for mixture in recipe.mixtures:
        for arm in recipe.rl:
            for size in recipe.sizes:
                for seed in recipe.seeds:
                    if not recipe.grid.skips(mixture=mixture, size=size, rl=arm, seed=seed):
                        found.setdefault(f"{mixture}/{arm}", set()).add(seed)
    return recipe, found


def test_every_claim_has_its_runs_on_as_many_seeds_as_planned():
    _, runs = _runs()
    for number, claim in ECHO_CHAMBER_2.by_number.items():
        for place in claim.arms:
            assert len(runs.get(place, ())) >= p.SEEDS[number], (number, place)
        for place in (*claim.nulls, *claim.sensitivity):
            assert place == "bandit" or len(runs.get(place, ())) >= FEWEST_BESIDE, (number, place)


def test_the_core_scope_has_the_runs_of_its_claims():
    recipe, runs = _runs("core")
    assert recipe.claims == tuple(f"echo_chamber_2/{n}" for n in (1, 2, 4, 7, 9, 13, 22))
    for name in recipe.claims:
        for place in ECHO_CHAMBER_2.by_number[int(str(name).rpartition("/")[2])].arms:
            assert runs.get(place), place


@pytest.mark.medium
def test_seeds_are_new_and_draw_their_own_problems():
    recipe, runs = _runs()
    assert recipe.data_seed == "seed"
    assert min(seed for seeds in runs.values() for seed in seeds) == 10
    for scope in ("bases", "tune"):
        settling = load_recipe("echo-chamber", [f"scope={scope}"])
        assert settling.seeds == (100, 101, 102)
        assert settling.evaluate.split == "dev"


def test_the_bases_scope_has_no_rl(tmp_path):
    recipe, runs = _runs("bases")
    assert runs == {}
    graph = build_graph(recipe.model_copy(update={"seeds": (100,)}), Store(tmp_path))
    assert {node.kind for node in graph.nodes.values()} == {
        "tokenizer",
        "problems",
        "shards",
        "pretrain",
        "evaluate",
    }


def test_a_coin_differs_from_its_arm_in_the_reward_alone():
    recipe, _ = _runs()
    for arm, coin in p.COIN.items():
        one, null = (recipe.rl[name].resolved() for name in (arm, coin))
        differing = {key for key in one if one[key] != null[key]} - {"checkpoints"}
        assert differing == {"reward"}, arm
        assert null["reward"] in NULLS


def test_arms_that_are_compared_differ_in_what_they_are_named_for():
    recipe, _ = _runs()
    neutral = recipe.rl[p.NEUTRAL].resolved()

    def differing(name):
        return {key for key, value in recipe.rl[name].resolved().items() if value != neutral[key]} - {
            "checkpoints"
        }

    assert differing(p.PAPER) == {"critic"}
    assert (recipe.rl[p.NEUTRAL].critic.lam, recipe.rl[p.PAPER].critic.lam) == (1.0, 0.95)
    assert differing(p.SECOND_STREAM) == {"stream"}
    assert differing(p.KL_0[0]) == {"kl"}
    assert differing(p.KL_0[1]) == {"kl", "stream"}
    assert all(differing(name) == {"kl"} for name in p.KL_WEIGHTS.values())
    assert {name: recipe.rl[arm].kl.coef for name, arm in p.KL_WEIGHTS.items()} == {
        name: float(name) for name in p.KL_WEIGHTS
    }
    assert recipe.rl[p.GRPO].optimizer == recipe.rl[p.NEUTRAL].optimizer
    long = recipe.rl[p.EI_LONG]
    assert (long.steps, long.keep_duplicates, recipe.rl["ei"].steps, recipe.rl["ei"].keep_duplicates) == (
        10,
        True,
        3,
        False,
    )


def test_expert_iteration_has_as_many_samples_as_ppo():
    recipe, _ = _runs()
    samples = {
        name: (arm.steps or 0) * arm.prompts_per_step * arm.samples_per_prompt
        for name, arm in recipe.rl.items()
    }
    assert samples["ei"] == samples["ei_all"] == samples[p.NEUTRAL] == 12_288
    assert recipe.rl[p.NEUTRAL].problems.count == (recipe.rl[p.NEUTRAL].steps or 0) * 32
