"""Checkpoints are Hugging Face folders, both ways round, and bad ones are named."""

import json
import re

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from echochamber.core.errors import UserError
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.tokenizer import load_tokenizer

from .conftest import CORPUS, tiny_model


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
@pytest.mark.parametrize("tie", [True, False])
def test_transformers_computes_the_same_logits(tmp_path, tokenizer, architecture, tie):
    model = tiny_model(architecture, tie)
    save_checkpoint(tmp_path, model, tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    token_ids = torch.randint(0, 300, (3, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(token_ids), theirs(token_ids).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
def test_a_folder_written_by_transformers_loads(tmp_path, tokenizer, architecture):
    save_checkpoint(tmp_path / "ours", tiny_model(architecture), tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs")
    model, _ = load_checkpoint(tmp_path / "theirs")
    token_ids = torch.arange(12)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(token_ids), theirs(token_ids).logits, atol=1e-5, rtol=1e-5)


def test_auto_tokenizer_agrees(tmp_path, tokenizer):
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in [CORPUS[7], "Janet’s ducks lay 16 eggs\n\n", "def f():\n    return 1.5"]:
        assert theirs(text, add_special_tokens=False).input_ids == tokenizer.encode(text)
    assert theirs.eos_token_id == tokenizer.eos_id
    assert theirs.pad_token_id == tokenizer.pad_id


def test_save_and_load_are_inverse(tmp_path, tokenizer):
    model = tiny_model("llama")
    save_checkpoint(tmp_path, model, tokenizer)
    loaded, again = load_checkpoint(tmp_path)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert again.encode(CORPUS[3]) == tokenizer.encode(CORPUS[3])


def _break(tmp_path, tokenizer, name, change):
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    path = tmp_path / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes() if path.is_file() else b""))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("config.json", lambda b: b.replace(b'"llama"', b'"mamba"'), ["config.json", "mamba", "llama"]),
        ("config.json", lambda b: b[:20], ["config.json", "not JSON"]),
        ("config.json", lambda _: b"[1]", ["config.json", "list", "mapping"]),
        (
            "config.json",
            lambda b: b.replace(b'"hidden_size": 32', b'"hidden_size": 40'),
            ["model.safetensors", "embed_tokens", "(300, 32)", "(300, 40)", "config.json"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"num_hidden_layers": 2', b'"num_hidden_layers": 3'),
            ["model.safetensors", "layers.2", "config.json"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"num_hidden_layers": 2', b'"num_hidden_layers": 1'),
            ["model.safetensors", "config.json", "more", "layers.1"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"hidden_size": 32', b'"hidden_size": "wide"'),
            ["config.json", "hidden_size", "wide"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"vocab_size": 300', b'"vocab_size": 270'),
            ["tokenizer.json has ids up to 282", "270"],
        ),
        # As many tokens as before; one has an id that the model has no row for.
        (
            "tokenizer.json",
            lambda b: re.sub(rb'"z": \d+', b'"z": 300', b, count=1),
            ["tokenizer.json has ids up to 300", "vocab_size 300"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"hidden_size": 32', b'"hidden_size": 2147483648'),
            ["config.json", "is not the configuration of a model", "overflow"],
        ),
        (
            "config.json",
            lambda b: b.replace(b'"eos_token_id": 0', b'"eos_token_id": 7'),
            ["tokenizer.json", "id 0", "eos_token_id 7"],
        ),
        (
            "model.safetensors",
            lambda b: b[: len(b) // 2],
            ["model.safetensors", "expected safetensors", "bytes"],
        ),
        ("model.safetensors", lambda _: b"", ["model.safetensors", "expected safetensors", "0 bytes"]),
        ("model.safetensors", None, ["model.safetensors", "missing", "tokenizer.json"]),
        (
            "model.safetensors.index.json",
            lambda _: b"{}",
            ["model.safetensors.index.json", "expected weight_map", "None"],
        ),
        (
            "model.safetensors.index.json",
            lambda _: b'{"weight_map": {"a": "part-1.safetensors"}}',
            ["part-1.safetensors", "missing"],
        ),
        ("tokenizer.json", lambda _: b"{}", ["tokenizer.json"]),
        ("tokenizer.json", lambda b: b[:100], ["tokenizer.json", "not a tokenizer file"]),
        ("tokenizer.json", None, ["no tokenizer.json"]),
        ("tokenizer_config.json", lambda b: b[:10], ["tokenizer_config.json", "not JSON"]),
        (
            "tokenizer_config.json",
            lambda b: b.replace(b"<|endoftext|>", b"</s>"),
            ["tokenizer_config.json", "eos_token", "</s>", "tokenizer.json"],
        ),
    ],
)
def test_a_broken_folder_is_named(tmp_path, tokenizer, name, change, words):
    _break(tmp_path, tokenizer, name, change)
    with pytest.raises(UserError) as caught:
        load_checkpoint(tmp_path)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert str(tmp_path) in message


def test_pickled_weights_are_not_read(tmp_path, tokenizer):
    save_checkpoint(tmp_path, tiny_model("llama"), tokenizer)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"weight file is missing.*pickled weights are not read.*runs code"):
        load_checkpoint(tmp_path)


def test_an_empty_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        load_checkpoint(tmp_path)


def test_a_setting_we_do_not_compute_is_refused(tmp_path, tokenizer):
    save_checkpoint(tmp_path, tiny_model("olmo"), tokenizer)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"clip_qkv": 8.0}))
    with pytest.raises(UserError, match="clip_qkv"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.medium
def test_settings_of_a_users_tokenizer_survive_training(tmp_path, tokenizer, in_file):
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    path = tmp_path / "base" / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"bos_token": "<|endoftext|>", "unknown_key": 1}
    if in_file:
        (tmp_path / "base" / "chat_template.jinja").write_text(template)
    else:
        settings["chat_template"] = template
    path.write_text(json.dumps(settings))
    save_checkpoint(tmp_path / "trained", *load_checkpoint(tmp_path / "base"))
    theirs = AutoTokenizer.from_pretrained(tmp_path / "trained")
    assert theirs.bos_token == "<|endoftext|>"
    assert theirs.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == "<user>Hi"
    assert "unknown_key" not in json.loads((tmp_path / "trained" / "tokenizer_config.json").read_text())


def test_a_tokenizer_of_our_own_has_the_settings_that_it_had(tmp_path, tokenizer):
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
    tokenizer.save(tmp_path / "first", 128)
    load_tokenizer(tmp_path / "first").save(tmp_path / "again", 128)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_weights_in_bfloat16_are_rounded_and_load_in_both_libraries(tmp_path, tokenizer):
    model = tiny_model("llama")
    save_checkpoint(tmp_path / "whole", model, tokenizer)
    save_checkpoint(tmp_path / "half", model, tokenizer, dtype=torch.bfloat16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.55 * sizes[0]
    again, _ = load_checkpoint(tmp_path / "half")
    for name, value in again.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, model.state_dict()[name].bfloat16().float(), atol=0, rtol=0)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "half")
    assert theirs.dtype == torch.bfloat16
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["dtype"] == "float32"
