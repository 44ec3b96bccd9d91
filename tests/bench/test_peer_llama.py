"""Our checkpoint as GGUF: every weight arrives, queries and keys in the order that llama.cpp rotates."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from echochamber.model.checkpoint import save_checkpoint
from tests.model.test_odd_checkpoints import CORPUS, tiny_model, train_tokenizer

gguf = pytest.importorskip("gguf", reason="the peer's environment has it; ours need not")


def test_weights_in_float32(tmp_path):
    from echochamber.bench.peer_llama import write_gguf

    folder, target = tmp_path / "model", tmp_path / "model.gguf"
    save_checkpoint(folder, tiny_model("llama"), train_tokenizer(CORPUS, 300))
    write_gguf(folder, target, bf16=False, eos_id=0)
    config = json.loads((folder / "config.json").read_text())
    found = {one.name: np.array(one.data) for one in gguf.GGUFReader(str(target)).tensors}
    weights = load_file(str(folder / "model.safetensors"))
    assert len(found) == len(weights)
    for name, theirs in (
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ("model.layers.1.self_attn.v_proj.weight", "blk.1.attn_v.weight"),
    ):
        np.testing.assert_array_equal(found[theirs].reshape(weights[name].shape), weights[name])
    query = weights["model.layers.0.self_attn.q_proj.weight"]
    half = query.shape[0] // config["num_attention_heads"] // 2
    rows = found["blk.0.attn_q.weight"].reshape(query.shape)
    np.testing.assert_array_equal(rows[0 : 2 * half : 2], query[:half])
    np.testing.assert_array_equal(rows[1 : 2 * half : 2], query[half : 2 * half])
