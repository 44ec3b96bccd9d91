"""The paper's own recipes: mixtures and settings as published, and the whole way on real rows, tiny."""

import json
from pathlib import Path

import pytest

from benchmarks.hub_layout import lay_out
from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.data.hub import HUB_SETS
from echochamber.data.source_config import sources_from_name
from echochamber.model.presets import flops_per_token, preset
from echochamber.study import price
from echochamber.study.cost import describe_plan
from echochamber.study.graph import build_graph
from echochamber.study.price import mixture_tokens
from echochamber.study.recipe import Recipe, load_recipe
from echochamber.study.run import run_recipe

PINS = [f"hub.revisions.{name}={'ab' * 20}" for name in ("tinygsm", "openmathinstruct1")]
COPIES = ["tg_omi1", "tg_2xomi1", "tg_4xomi1", "tg_8xomi1"]
PARTS_150M = ["tg", "2xtg", "4xtg", "8xtg", "omi1", *COPIES, "tg_omi2", "tg_omi1_omi2"]
PARTS_1B = ["tg", "tg_4xomi1", "tg_omi2", "omi2_mmqa", "tg_omi1_omi2"]


def recipe(name: str) -> Recipe:
    return load_recipe(name, PINS)


@pytest.mark.parametrize(("name", "parts"), [("paper-150m", PARTS_150M), ("paper-1b", PARTS_1B)])
def test_mixtures_are_the_papers_and_their_parts_real_sets(name: str, parts: list[str]) -> None:
    mixtures = dict(recipe(name).mixtures)
    if name == "paper-150m":
        assert mixtures.pop("tg_alone").sources["tinygsm"].copies == 4
    assert set(mixtures) == {f"as_fm3_{part}" for part in parts}
    for label, mixture in mixtures.items():
        copies = {source: found.copies for source, found in mixture.sources.items()}
        assert copies == {part: found["copies"] for part, found in sources_from_name(label).items()}
        assert all(source.hub in HUB_SETS and source.path is None for source in mixture.sources.values())


@pytest.mark.parametrize("name", ["paper-150m", "paper-1b"])
def test_optimisation_is_the_authors(name: str) -> None:
    found = recipe(name)
    how = found.pretrain
    assert (how.batch_tokens, how.sequence_length, how.warmup_steps) == (512 * 2048, 2048, 5000)
    assert (how.lr_floor, how.residual_init, how.tokens) == (0.1, "plain", None)
    assert how.optimizer.resolved() == {
        "name": "adamw", "lr": 1e-3, "muon_lr": 0.02, "betas": [0.9, 0.95], "eps": 1e-8,
        "weight_decay": 0.1, "clip_norm": 1.0,
    }  # fmt: skip
    assert (found.prompt_suffix, found.suffix_of_documents) == ("", "\n\n")
    arm = found.rl["ppo"]
    assert (arm.steps, arm.prompts_per_step, arm.samples_per_prompt) == (1160, 64, 8)
    assert (arm.problems.count, arm.max_new_tokens, arm.checkpoints.grid) == (7473, 1024, "paper")
    assert (arm.kl.coef, arm.temperature) == (1e-3, 0.7)
    scored = found.evaluate
    assert (scored.samples.ends, scored.max_new_tokens) == (64, 2048)
    assert (scored.temperature, scored.top_p) == (0.7, 0.95)


def test_every_mixture_of_150m_has_ppo_and_claims_find_theirs(tmp_path: Path) -> None:
    found = recipe("paper-150m")
    graph = build_graph(found, Store(tmp_path / "artifacts"))
    arms = {(node.mixture, node.arm) for node in graph.nodes.values() if node.kind == "rl"}
    assert {mixture for mixture, arm in arms if arm == "ppo"} == set(found.mixtures)
    assert ("as_fm3_8xtg", "ei") in arms
    assert found.claim_names.mixtures["8xtg"] == "as_fm3_8xtg"
    assert recipe("paper-1b").claim_names.sets["hard"] == "hub:math500"


def test_a_set_without_a_pinned_commit_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"hub\.revisions\.tinygsm, or hub\.folder"):
        build_graph(load_recipe("paper-150m"), Store(tmp_path))


def test_claim_names_must_name_something() -> None:
    with pytest.raises(UserError, match="claim_names names 'as_tg'"):
        load_recipe("smoke", ["claim_names.mixtures.tg=as_tg"])
    with pytest.raises(UserError, match="claim_names names 'hub:aime'"):
        load_recipe("smoke", ["claim_names.sets.beyond=hub:aime"])


def test_prices_have_the_published_tokens_and_say_what_is_assumed(tmp_path: Path) -> None:
    """Tokens and steps as the replication's counts give them (PAPER: 56.3, 58.9, 64.3 and 74.9 B)."""
    told = describe_plan(load_recipe("paper-150m"), tmp_path / "study")
    assert "no commit is named for openmathinstruct1, tinygsm" in told
    found = {line.split()[0]: line for line in told.splitlines() if " B tokens" in line}
    for copies, billions, steps in (("tg", 56.3, 53.7), ("2xtg", 58.9, 56.2), ("4xtg", 64.3, 61.3)):
        words = found[f"as_fm3_{copies}"].split()
        assert float(words[1]) == pytest.approx(billions, abs=0.06)
        assert int(words[4].replace(",", "")) / 1000 == pytest.approx(steps, abs=0.06)
    assert all("published" in line or "assumed" in line or "steps" in line for line in found.values())
    # One epoch of tg at 40% of 989 TFLOP/s: by hand.
    hours = 56.265e9 * flops_per_token(preset("paper-150m", 32_000), 2048) / (0.4 * 989e12) / 3600
    graph = build_graph(recipe("paper-150m"), Store(tmp_path / "artifacts"))
    node = graph.nodes["pretrain/as_fm3_tg/paper-150m/seed0"]
    tokens = {"as_fm3_tg": mixture_tokens(graph.recipe.mixtures["as_fm3_tg"]) or 0.0}
    assert price._hours(node, graph.recipe, tokens, price.DEVICES[1]) == pytest.approx(hours, rel=1e-6)
    assert 25 < hours < 60
    assert not (tmp_path / "study").exists()


def test_studies_without_published_sets_have_no_prices(tmp_path: Path) -> None:
    graph = build_graph(load_recipe("smoke"), Store(tmp_path))
    assert price.price_lines(graph) == []


TINY = [
    "sizes=[nano-0.2m]",
    "tokenizer.vocab_size=320",
    "tokenizer.documents=120",
    "pretrain.sequence_length=128",
    "pretrain.batch_tokens=2048",
    "pretrain.tokens=24K",
    "pretrain.warmup_steps=2",
    "mixtures.gsm_math_omi.sources.math.documents=60",
    "mixtures.gsm_math_omi.sources.gsm8k.documents=60",
    "rl.ppo.problems.count=8",
    "rl.ppo.steps=2",
    "rl.ppo.prompts_per_step=4",
    "rl.ppo.samples_per_prompt=4",
    "rl.ei.problems.count=8",
    "rl.ei.steps=1",
    "rl.ei.prompts_per_step=8",
    "rl.ei.samples_per_prompt=4",
    "runtime.threads=1",
]


@pytest.mark.slow
def test_the_whole_way_on_real_rows_and_every_arm_has_a_gradient(tmp_path: Path, shared_data: Path) -> None:
    lay_out(shared_data, tmp_path / "hub")
    scored = [
        f"{where}.{key}"
        for where in ("evaluate", "also_evaluate.math", "also_evaluate.aime")
        for key in ("count=3", "samples.ends=2", "max_new_tokens=32")
    ]
    found = load_recipe("paper-10m", [*TINY, *scored, f"hub.folder={tmp_path / 'hub'}"])
    done = run_recipe(found, tmp_path / "study")
    assert done is not None
    assert done.failed == []
    study = json.loads((tmp_path / "study/study.json").read_text())
    arms = {
        node["arm"]: tmp_path / "study" / node["folder"] for node in study["nodes"] if node["kind"] == "rl"
    }
    assert set(arms) == {"ppo", "grpo", "ei"}
    for folder in arms.values():
        rows = read_metrics(folder / "metrics.jsonl")
        assert any(row.get("policy/grad_norm", 0) > 0 for row in rows if row["step"] > 0), rows[-1]
    evaluated = {
        row["problem_set"]
        for node in study["nodes"]
        if node["kind"] == "evaluate"
        for row in json.loads((tmp_path / "study" / node["folder"] / "summary.json").read_text())
    }
    assert evaluated == {"hub:gsm8k", "hub:math500", "hub:aime-2022-2024"}
