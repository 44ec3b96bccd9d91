"""Each folder of examples/ runs: its recipe as it is written, on as little as there can be."""

import json
from pathlib import Path

import pytest

from echochamber.core.metrics import read_metrics
from echochamber.model.checkpoint import save_checkpoint
from echochamber.study.recipe import load_recipe
from echochamber.study.run import run_recipe
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "claims=[]",
    "world.families=[shopping]",
    "world.operations=[1,2]",
    "tokenizer={vocab_size: 320, documents: 60}",
    "mixtures.tg_omi1_omi2.budget_tokens=3K",
    "sizes=[nano-0.2m]",
    "pretrain={batch_tokens: 512, sequence_length: 32, max_positions: 300, checkpoints: 2}",
    "evaluate={count: 2, samples: {ends: 1, between: 0}, max_new_tokens: 32}",
]
ARM = {
    "steps": 2,
    "problems.count": 6,
    "prompts_per_step": 2,
    "samples_per_prompt": 2,
    "max_new_tokens": 8,
    "checkpoints.count": 1,
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch, forgotten):
    """The modules of the examples name paths from the repository's root."""
    monkeypatch.chdir(ROOT)


def _run(example, tmp_path, *arms):
    smaller = [f"grid.include=[{{rl: [{', '.join(arms)}]}}]"]
    smaller += [f"rl.{arm}.{key}={value}" for arm in arms for key, value in ARM.items()]
    recipe = load_recipe(f"examples/{example}/recipe.yaml", [*TINY, *smaller])
    run_recipe(recipe, tmp_path)
    return json.loads((tmp_path / "study.json").read_text()), (tmp_path / "report.html").read_text()


def _metrics(study, folder, arm):
    (node,) = [node for node in study["nodes"] if node["id"].startswith("rl/") and f"/{arm}/" in node["id"]]
    return list(read_metrics(folder / node["folder"] / "metrics.jsonl"))


@pytest.mark.medium
def test_own_reward(tmp_path):
    study, page = _run("own-reward", tmp_path, "grounded", "watched")
    first = _metrics(study, tmp_path, "grounded")[0]
    assert first["reward/part/correct"] == first["accuracy"]
    assert 0 <= first["reward/part/uses_numbers"] <= 1
    total = first["reward/part/correct"] + 0.2 * first["reward/part/uses_numbers"]
    assert first["reward/mean"] == pytest.approx(total)
    watched = _metrics(study, tmp_path, "watched")[0]
    assert watched["reward/mean"] == watched["reward/part/correct"]
    assert watched["reward/part/uses_numbers"] == first["reward/part/uses_numbers"]  # the same first step
    assert "reward/part/uses_numbers" in page
    assert "Mean of the reward\u2019s part uses_numbers, before its weight" in page


@pytest.mark.medium
def test_own_format(tmp_path):
    study, page = _run("own-format", tmp_path, "grpo")
    own = {row["name"]: row["title"] for row in study["own_formats"]}
    assert own["printed"] == "a program that prints"
    assert set(own) == {"printed", "numbered", "prose_so"}
    shares = {name: sum(r[f"format/{name}/share"] for r in _metrics(study, tmp_path, "grpo")) for name in own}
    unwritten = {name for name, share in shares.items() if share == 0}
    named = {name for name in own if f"format {name}: no completion is written in it" in page}
    assert "printed" in named <= unwritten
    assert {"format/printed/share", "format/prose_so/share"} <= _metrics(study, tmp_path, "grpo")[0].keys()


@pytest.mark.medium
def test_own_model(tmp_path, tokenizer):  # noqa: F811
    base = tmp_path / "mine"
    save_checkpoint(base, tiny_model("llama"), tokenizer)
    arms = ["grpo", "coin", "expert_iteration"]
    smaller = [f"rl.{arm}.{key}={value}" for arm in arms for key, value in ARM.items()]
    world = ["world.families=[shopping]", "world.operations=[1,1]", "evaluate={count: 2, max_new_tokens: 8}"]
    recipe = load_recipe("examples/own-model/recipe.yaml", [*smaller, *world, "seeds=[1]", f"base={base}"])
    run_recipe(recipe, tmp_path / "study")
    summary = json.loads((tmp_path / "study" / "summary.json").read_text())
    assert [arm["arm"] for arm in summary["arms"]] == arms
    assert summary["missing"] == []
    coin = _metrics(json.loads((tmp_path / "study" / "study.json").read_text()), tmp_path / "study", "coin")
    assert {row["reward/mean"] for row in coin} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert sum(row["reward/mean"] for row in coin) > sum(row["accuracy"] for row in coin) == 0
