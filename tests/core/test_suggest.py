"""What was meant: near names, keys further down, lists of one, YAML's off."""

import pytest

from echochamber.core.errors import UserError
from echochamber.core.suggest import did_you_mean
from echochamber.study.recipe import load_recipe


def test_a_near_name_is_named_and_a_far_one_is_not():
    assert did_you_mean("grop", ["grpo", "ppo"]) == " (did you mean 'grpo'?)"
    assert did_you_mean("zebra", ["grpo", "ppo"]) == ""


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("rl.grpo.lr=1e-3", "rl.grpo.optimizer.lr"),
        ("rl.grpo.stepz=3", "rl.grpo.steps"),
        ("evaluat.count=3", "evaluate"),
        ("pretrain.lr=1", "pretrain.optimizer.lr"),
    ],
)
def test_an_unknown_key_says_which_is_meant(override, meant):
    with pytest.raises(UserError, match=rf"unknown key .* \(did you mean '{meant}'\?\); known keys here"):
        load_recipe("smoke", [override])


def test_a_recipe_of_a_near_name_is_named():
    with pytest.raises(UserError, match="'quickstrat' is not known .did you mean 'quickstart'"):
        load_recipe("quickstrat")


def test_an_override_never_makes_an_arm_of_defaults_beside_the_one_that_is_meant():
    with pytest.raises(UserError, match=r"rl has no 'grop' \(did you mean 'grpo'\?\); there are grpo"):
        load_recipe("smoke", ["rl.grop.steps=3"])
    with pytest.raises(UserError, match="mixtures has no 'tg_omi' .did you mean 'tg_omi2'"):
        load_recipe("smoke", ["mixtures.tg_omi.budget_tokens=3K"])
    overrides = ["rl.second.inherits=grpo", "rl.second.steps=2", "rl.third={steps: 1}", "rl.third.passes=2"]
    made = load_recipe("smoke", overrides)
    assert {name: (arm.steps, arm.passes) for name, arm in made.rl.items()} == {
        "grpo": (3, 1),
        "second": (2, 1),
        "third": (1, 2),
    }


def test_one_value_is_a_list_of_one_and_off_is_a_word_where_a_word_is_meant():
    overrides = ["seeds=4", "evaluate.sets=easy", "runtime.compile=off", "rl.grpo.stop=END"]
    recipe = load_recipe("smoke", [*overrides, "world.families=all"])
    assert (recipe.seeds, recipe.evaluate.sets, recipe.rl["grpo"].stop) == ((4,), ("easy",), ("END",))
    assert (recipe.runtime.compile, recipe.world.families) == ("off", "all")
    assert load_recipe("smoke", ["world.families=shopping"]).world.families == ("shopping",)
    recipe = load_recipe("smoke", ["rl.grpo.restart=off", "runtime.native=on"])
    assert (recipe.rl["grpo"].restart, recipe.runtime.native) == (False, "on")
    with pytest.raises(UserError, match=r"rl\.grpo\.steps"):
        load_recipe("smoke", ["rl.grpo.steps=[1]"])
    with pytest.raises(UserError, match="operations"):
        load_recipe("smoke", ["world.operations=1"])
