"""The engine vllm with the library itself, on a CPU; skipped where it is not installed.

Its environment is that of docs/performance.md; `benchmarks/vllm_engine.sh` makes one and runs this file.
"""

import importlib.util

import numpy as np
import pytest
import torch
from transformers import Olmo2Config, Olmo2ForCausalLM

from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.random import key
from echochamber.core.types import Problem
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.presets import preset
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.transformer import Transformer
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rollout.engines import NativeEngine, VllmEngine, start_engine
from tests.model.conftest import CORPUS, tokenizer  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the library's own, dozens of them
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", str(3 * i), "all", "train")
    for i in range(4)
]
MODELS = [("llama", True), ("llama", False), ("olmo", False)]
"""Architecture, tied embeddings."""


def _model(architecture, tie, seed=0):
    """Two layers with random weights large enough that mistakes show, and heads that the CPU build takes."""
    shape = {"architecture": architecture, "tie_embeddings": tie, "num_layers": 2, "init_std": 0.2}
    heads = {"num_kv_heads": 4} if architecture == "olmo" else {}
    model = Transformer(preset("nano-0.8m", 300, 128).model_copy(update=shape | heads))
    model.init_weights(torch.Generator().manual_seed(seed))
    return model


def _runtime(**settings):
    chosen = {"threads": 2, "compile": "off", "dtype": "float32", "device": "cpu", "engine": "vllm"}
    return start_runtime(RuntimeConfig(**chosen | settings))


def _keys(count, group, seed=0):
    return np.array([[key(seed, p, g) for g in range(group)] for p in range(count)], dtype=np.uint64)


def _prompts(its_tokenizer):
    return [its_tokenizer.encode(text) for text in (CORPUS[7], "How", "pens? 4 * 5 = 20.")]


def _expected(model, prompt, ids, temperature):
    """The decoder's own log-probabilities of a completion."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + list(ids)]))[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits / temperature, -1).gather(1, torch.tensor(ids)[:, None])[:, 0]


def _grpo(folder, its_tokenizer, architecture, tie, **settings):
    save_checkpoint(folder / "step_1", _model(architecture, tie), its_tokenizer)
    return _grpo_on(folder, **settings)


def _grpo_on(folder, **settings):
    """The metrics of three steps from the checkpoint `step_1`."""
    (folder / "out").mkdir()
    config = RLConfig(
        reward="random",
        steps=3,
        prompts_per_step=4,
        samples_per_prompt=4,
        max_new_tokens=24,
        warmup_steps=0,
        optimizer={"lr": 1e-2},
        **settings,
    )
    rl(config, 0, folder / "step_1", PROBLEMS, folder / "out", _runtime())
    return read_metrics(folder / "out" / "metrics.jsonl")


@pytest.mark.parametrize(("architecture", "tie"), MODELS)
def test_three_steps_of_grpo_agree_with_the_trainer(architecture, tie, tokenizer, tmp_path):  # noqa: F811
    rows = _grpo(tmp_path, tokenizer, architecture, tie)
    assert [row["sampler/logprob_diff"] < 1e-4 for row in rows] == [True] * 3, rows
    assert rows[2]["policy/kl"] > 0.1, "the policy has moved, or nothing would be shown"


def test_an_adapter_is_merged_into_what_is_sent(tokenizer, tmp_path):  # noqa: F811
    pytest.importorskip("peft")
    rows = _grpo(tmp_path, tokenizer, "llama", True, adapter={"rank": 4})
    assert [row["sampler/logprob_diff"] < 1e-4 for row in rows] == [True] * 3, rows
    assert rows[2]["policy/kl"] > 0.01


def test_a_class_of_transformers_that_it_changes_is_refused(tokenizer, tmp_path):  # noqa: F811
    settings = {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 128}
    config = Olmo2Config(
        **settings,
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=128,
        initializer_range=0.2,
        bos_token_id=tokenizer.eos_id,
        eos_token_id=tokenizer.eos_id,
    )
    torch.manual_seed(0)
    Olmo2ForCausalLM(config).save_pretrained(tmp_path / "step_1")
    tokenizer.save(tmp_path / "step_1", 128)
    with pytest.raises(UserError, match="runs Olmo2Model by changing the class of transformers"):
        _grpo_on(tmp_path)


def test_without_sync_the_difference_is_large(tokenizer, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(VllmEngine, "sync", lambda self, weights: None)
    first, *later = [row["sampler/logprob_diff"] for row in _grpo(tmp_path, tokenizer, "olmo", False)]
    assert first < 1e-4
    assert min(later) > 0.5


@pytest.mark.parametrize(("architecture", "tie"), MODELS)
@pytest.mark.parametrize("stop", [(), ("e", "a")])
def test_greedy_completions_are_those_of_the_native_engine(architecture, tie, stop, tokenizer):  # noqa: F811
    model, prompts = _model(architecture, tie), _prompts(tokenizer)
    sampling = SamplingConfig(temperature=0, max_new_tokens=32, stop=stop)
    native = NativeEngine(model, tokenizer, sampling, _runtime(native="off"), "")
    engine = start_engine(model, tokenizer, sampling, _runtime(), "")
    found, wanted = (
        [[(c.text, c.token_ids, c.truncated) for c in group] for group in one.sample(prompts, _keys(3, 2))]
        for one in (engine, native)
    )
    assert found == wanted


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.7}, {"temperature": 1.0, "top_k": 5}, {"temperature": 1.0, "top_p": 0.5}]
)
def test_log_probabilities_are_of_the_whole_tempered_distribution(settings, tokenizer):  # noqa: F811
    model, prompts = _model("llama", False), _prompts(tokenizer)
    engine = start_engine(model, tokenizer, SamplingConfig(max_new_tokens=16, **settings), _runtime(), "")
    for prompt, group in zip(prompts, engine.sample(prompts, _keys(3, 4)), strict=True):
        assert len({c.token_ids for c in group}) > 1
        for completion in group:
            expected = _expected(model, prompt, completion.token_ids, settings["temperature"])
            torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=0)


def test_shares_of_tokens_are_the_probabilities(tokenizer):  # noqa: F811
    model, prompt = _model("llama", False), tokenizer.encode("Mia has")
    engine = start_engine(model, tokenizer, SamplingConfig(max_new_tokens=1), _runtime(), "")
    (group,) = engine.sample([prompt], _keys(1, 4000))
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=300) / 4000
    with torch.no_grad():
        expected = torch.softmax(model(torch.tensor([prompt]))[0, -1], -1)
    assert float((counts - expected).abs().max()) < 4 * (0.25 / 4000) ** 0.5


def test_bfloat16_takes_float32_weights(tokenizer):  # noqa: F811
    model, other, prompts = _model("olmo", False), _model("olmo", False, seed=1), _prompts(tokenizer)
    engine = start_engine(model, tokenizer, SamplingConfig(max_new_tokens=16), _runtime(dtype="bfloat16"), "")
    for weights in (model, other):
        engine.sync(weights.weights())
        for prompt, group in zip(prompts, engine.sample(prompts, _keys(3, 4)), strict=True):
            for completion in group:
                expected = _expected(weights, prompt, completion.token_ids, 1.0)
                assert float((torch.tensor(completion.logprobs) - expected).abs().mean()) < 0.3
