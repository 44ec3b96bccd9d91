"""Relatives of Llama that the native decoder computes: logits and greedy text of transformers, both ways."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from echochamber.core.errors import UserError
from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.hf_config import Unsupported, from_hf, to_hf
from echochamber.model.presets import num_parameters
from echochamber.model.sampling import SamplingConfig

from .conftest import CORPUS, generate

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FAMILIES = {
    "llama-linear": ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0}}),
    "llama3": ("llama", {"rope_parameters": LLAMA3 | {"rope_theta": 5e5}, "tie_word_embeddings": True}),
    "llama-bias": ("llama", {"attention_bias": True, "head_dim": 16}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2-untied": ("qwen2", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "qwen3-bias": ("qwen3", {"head_dim": 8, "attention_bias": True, "tie_word_embeddings": True}),
    "mistral": ("mistral", {"sliding_window": None, "head_dim": 16}),
    "mistral-wide-window": ("mistral", {"sliding_window": 128}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0, 1]}),
}
"""What makes each tiny model differ from a plain Llama."""


def _theirs(name):
    """A tiny random model of transformers, every weight, bias and norm away from its start."""
    kind, settings = FAMILIES[name]
    shape = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 1,
    }
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape | settings))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.12 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(spread if parameter.dim() > 1 else parameter + spread)
    return model.eval()


SLOW = ("llama-bias", "qwen2-untied", "qwen3-bias", "mistral-wide-window")
"""Further settings of families that every run has."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FAMILIES],
)
def pair(request, tmp_path_factory, tokenizer):
    """Their model, and ours from the folder that they saved."""
    theirs, folder = _theirs(request.param), tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    tokenizer.save(folder)
    return theirs, load_checkpoint(folder)[0]


def test_logits_and_parameters_are_those_of_transformers(pair):
    theirs, ours = pair
    token_ids = torch.randint(0, 300, (3, 100), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(token_ids), theirs(token_ids).logits, atol=1e-5, rtol=1e-5)
    assert sum(p.numel() for p in theirs.parameters()) == num_parameters(ours.config)
    assert {name for name, _ in ours.named_parameters()} == {name for name, _ in theirs.named_parameters()}


def test_what_is_saved_loads_in_transformers_and_in_ours_again(pair, tmp_path, tokenizer):
    theirs, ours = pair
    save_checkpoint(tmp_path / "ours", ours, tokenizer)
    again, _ = load_checkpoint(tmp_path / "ours")
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    assert type(reloaded) is type(theirs)
    assert again.config == ours.config
    token_ids = torch.randint(0, 300, (2, 60), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(reloaded(token_ids).logits, theirs(token_ids).logits)
        torch.testing.assert_close(again(token_ids), theirs(token_ids).logits, atol=1e-5, rtol=1e-5)


def test_greedy_text_is_that_of_transformers(pair, tokenizer):
    theirs, ours = pair
    prompts = tokenizer.encode_batch([CORPUS[4], "How", CORPUS[8] + " Mia has"])
    sampling = SamplingConfig(temperature=0, max_new_tokens=16)
    written = generate(ours, tokenizer, prompts, np.zeros((3, 1), dtype=np.uint64), sampling)
    for prompt, (completion,) in zip(prompts, written, strict=True):
        ids = torch.tensor([prompt])
        expected = theirs.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16
        )[0, len(prompt) :]
        assert completion.token_ids == tuple(expected.tolist())


def test_sampled_logprobs_and_packed_rows_equal_a_plain_forward_pass(pair, tokenizer):
    _, ours = pair
    prompt = tokenizer.encode(CORPUS[4])
    (group,) = generate(
        ours, tokenizer, [prompt], np.arange(4, dtype=np.uint64)[None], SamplingConfig(max_new_tokens=16)
    )
    for completion in group:
        ids = torch.tensor([prompt + list(completion.token_ids)])
        with torch.no_grad():
            expected = torch.log_softmax(ours(ids[:, :-1]), -1).gather(2, ids[:, 1:, None])[0, :, 0]
        torch.testing.assert_close(
            torch.tensor(completion.logprobs), expected[len(prompt) - 1 :], atol=1e-5, rtol=1e-5
        )
    two = torch.arange(2, 42)[None]
    ranges = AttentionRanges.documents(torch.tensor([[0] * 15 + [1] * 25]))
    with torch.no_grad():
        packed = ours(two, ranges)
        torch.testing.assert_close(packed[:, 15:], ours(two[:, 15:]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["linear", "llama3"])
def test_both_spellings_of_scaled_rope_mean_the_same(kind):
    settings = LLAMA3 if kind == "llama3" else {"rope_type": "linear", "factor": 4.0}
    shared = to_hf(from_hf(json.loads(json.dumps(_plain("llama"))), "config"), None, 0, 1)
    del shared["rope_parameters"]
    old = from_hf(shared | {"rope_theta": 5e5, "rope_scaling": settings}, "old")
    older = from_hf(
        shared
        | {
            "rope_theta": 5e5,
            "rope_scaling": {"type" if key == "rope_type" else key: value for key, value in settings.items()},
        },
        "older",
    )
    new = from_hf(shared | {"rope_parameters": settings | {"rope_theta": 5e5}}, "new")
    assert old == older == new
    assert new.rope_scaling is not None
    assert new.rope_scaling.kind == kind
    assert new.rope_theta == 5e5


def _plain(kind):
    return {
        "model_type": kind,
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
    }


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral", "smollm3"])
def test_a_key_that_is_absent_means_what_transformers_takes(kind):
    data = {key: value for key, value in _plain(kind).items() if key != "num_key_value_heads"}
    data |= {"num_attention_heads": 32, "hidden_size": 1024, "max_position_embeddings": 4096}
    theirs = AutoConfig.for_model(**data)
    ours = from_hf(data, "config")
    assert ours.num_kv_heads == theirs.num_key_value_heads
    assert ours.head_size == (getattr(theirs, "head_dim", None) or 32)
    assert ours.norm_eps == theirs.rms_norm_eps
    assert ours.tie_embeddings == theirs.tie_word_embeddings
    assert ours.rope_theta == theirs.rope_parameters["rope_theta"]
    if kind == "smollm3":
        assert ours.layers_without_rope == (3,)
        assert theirs.no_rope_layers == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("mistral", {"sliding_window": 64}, "sliding_window = 64"),
        ("mistral", {"max_position_embeddings": 8192}, "sliding_window = 4096"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 64}, "sliding_window = 64"),
        ("llama", {"rope_scaling": {"type": "yarn", "factor": 2.0}}, "yarn"),
        ("llama", {"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "full_attention"),
        ("llama", {"mlp_bias": True}, "mlp_bias = True"),
        ("qwen3", {"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
        ("gpt2", {}, "model_type is 'gpt2'; this engine runs llama"),
    ],
)
def test_what_the_native_decoder_does_not_compute_is_refused(kind, settings, words):
    with pytest.raises(Unsupported, match=words):
        from_hf(_plain(kind) | settings, "config.json")


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("llama", {"rope_scaling": {"type": "linear"}}, "'factor' has value None"),
        ("llama", {"rope_parameters": LLAMA3 | {"low_freq_factor": 9.0}}, "high_freq_factor 4.0 must be"),
        ("smollm3", {"no_rope_layers": [1, 0]}, "no_rope_layers"),
        ("smollm3", {"no_rope_layer_interval": 0}, "no_rope_layer_interval"),
        ("qwen3", {"head_dim": "wide"}, "head_dim"),
        ("llama", {"num_attention_heads": 5}, "not a multiple"),
    ],
)
def test_bad_settings_are_one_line(kind, settings, words):
    with pytest.raises(UserError, match=words) as caught:
        from_hf(_plain(kind) | settings, "config.json")
    assert not isinstance(caught.value, Unsupported)
    assert "\n" not in str(caught.value)
