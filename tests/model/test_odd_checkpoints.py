"""Checkpoint folders with odd values: one line that names the file, never a traceback."""

import json
import pickle

import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.state import load_state, save_state
from echochamber.model.tokenizer import train_tokenizer
from tests.model.conftest import CORPUS, tiny_model

CONFIGS = [
    ("model_type", {}),
    ("model_type", ["llama"]),
    ("rope_parameters", "default"),
    ("rope_parameters", {"rope_theta": "big"}),
    ("vocab_size", True),
    ("vocab_size", 10**40),
    ("hidden_size", 0),
    ("num_attention_heads", -1),
    ("num_key_value_heads", "two"),
    ("max_position_embeddings", [1]),
    ("eos_token_id", "end"),
    ("head_dim", {}),
    ("rms_norm_eps", None),
]
MAPS = [
    {"a": None},
    {"a": 3},
    {"a": "x" * 5000},
    {"a": "bad\0name"},
    {"a": ""},
    {"a": ["b"]},
    {"a": "\ud800"},
    ["model.safetensors"],
    "model.safetensors",
]


@pytest.fixture
def folder(tmp_path):
    """A checkpoint that loads."""
    save_checkpoint(tmp_path / "model", tiny_model("llama"), train_tokenizer(CORPUS, 300))
    return tmp_path / "model"


@pytest.mark.parametrize(("key", "value"), CONFIGS)
def test_an_odd_setting_is_one_line(folder, key, value):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=str(folder)) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weight_map", MAPS)
def test_an_odd_weight_map_is_one_line(folder, weight_map):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(UserError, match=r"index\.json: "):
        load_checkpoint(folder)


@pytest.mark.parametrize("content", ["", '{"weight_map": {"a": "model.saf', "[" * 100_000, "null"])
def test_a_cut_index_is_one_line(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(UserError, match=r"index\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize("token", [3, ["x"], {"content": 5}, {"content": ["x"]}])
def test_an_odd_special_token_is_one_line(folder, token):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": token}))
    with pytest.raises(UserError, match="tokenizer"):
        load_checkpoint(folder)


class _Runs:
    """A pickle that would run a command."""

    def __reduce__(self):
        return (print, ("this ran",))


@pytest.mark.parametrize("kind", ["empty", "text", "program", "other parts", "cut", "no mapping"])
def test_odd_resume_state_is_refused_in_one_line(tmp_path, capsys, kind):
    path, model = tmp_path / "state.pt", torch.nn.Linear(2, 2)
    save_state(path, 3, {"model": model}, {"kl_coef": 0.5})
    assert load_state(path, {"model": model}) == {"step": 3, "kl_coef": 0.5}
    content = path.read_bytes()
    odd = {"empty": b"", "text": b"hello", "program": pickle.dumps(_Runs()), "cut": content[:-100]}
    path.write_bytes(odd.get(kind, content))
    if kind == "other parts":
        save_state(path, 3, {"other": model})
    if kind == "no mapping":
        torch.save([1, 2], path)
    with pytest.raises(UserError, match=r"state\.pt: resume state is damaged") as caught:
        load_state(path, {"model": model})
    assert "\n" not in str(caught.value)
    assert "this ran" not in capsys.readouterr().out
