"""The shipped schema of recipe files: true, named by the recipes, and neither too strict nor too lax."""

import json
from pathlib import Path

import pytest
import yaml

from echochamber.study.recipe_files import SCHEMA_HEADER, schema_path, shipped_recipes
from echochamber.study.recipe_schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
RECIPES = [*shipped_recipes().values(), *sorted(ROOT.glob("examples/*/*.yaml"))]
STARTER = ROOT / "echochamber" / "cli" / "starter.yaml"


@pytest.fixture(scope="module")
def errors():
    """Recipe data -> what the schema says is wrong with it."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the extra [dev], is not installed")
    schema = json.loads(schema_path().read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    return lambda data: [".".join(map(str, error.path)) for error in check.iter_errors(data)]


def test_the_shipped_file_is_that_of_the_code():
    assert schema_path().read_text(encoding="utf-8") == schema_text(), (
        "the grammar of recipes changed: python -m echochamber.study.recipe_schema writes the file anew"
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_recipe_names_the_schema_and_keeps_to_it(path, errors):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(SCHEMA_HEADER)
    assert (path.parent / first.removeprefix(SCHEMA_HEADER)).resolve() == schema_path().resolve()
    assert errors(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_the_starter_keeps_to_it(errors):
    assert errors(yaml.safe_load(STARTER.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "data",
    [
        {"seeds": 0},
        {"mixtures": {"m": {"budget_tokens": "5M", "sources": {"tinygsm": {"copies": 2}}}}},
        {"runtime": {"native": False}},
        {"rl": {"a": {"preset": "nano-ppo"}, "b": {"inherits": "a", "reward": {"correct": 1.0}}}},
        {"extends": "quickstart", "scopes": {"small": {"seeds": [0], "rl": {"a": {"steps": 3}}}}},
        {"prompt": {"suffix": "\n", "few_shot": 1, "examples": "shots.jsonl"}},
        {"grid": {"exclude": {"rl": "a"}, "from_step": [{"where": {"rl": ["a", "b"]}, "step": 5}]}},
        {"claims": [1, "mine/first"], "probe": None},
    ],
)
def test_what_a_recipe_may_say_is_accepted(data, errors):
    if "grid" in data:
        data["grid"]["exclude"] = [data["grid"]["exclude"]]
    assert errors({"name": "x"} | data) == []


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"seed": [0]}, ""),
        ({"seeds": "many"}, "seeds"),
        ({"rl": {"a": {"lr": 1e-3}}}, "rl.a"),
        ({"rl": {"a": {"kl": {"estimator": "k9"}}}}, "rl.a.kl.estimator"),
        ({"mixtures": {"m": {"budget_tokens": "5X"}}}, "mixtures.m.budget_tokens"),
        ({"scopes": {"small": {"seed": 1}}}, "scopes.small"),
    ],
)
def test_what_it_may_not_is_found_at_its_place(data, place, errors):
    assert errors({"name": "x"} | data) == [place]


def test_a_recipe_needs_a_name(errors):
    assert errors({"seeds": [0]}) == [""]


def test_keys_are_explained():
    schema = json.loads(schema_path().read_text(encoding="utf-8"))
    assert schema["properties"]["seeds"]["description"] == "Pretraining seeds: the unit of every claim."
    assert "description" in schema["$defs"]["RLConfig"]["properties"]["overlong_buffer"]
