"""llama.cpp as a peer: our Hugging Face folder becomes GGUF, and its server's scheduler samples.

Loaded by `peer.py` in an environment with xllamacpp, gguf and safetensors; it imports nothing of ours.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import gguf
import numpy as np
from safetensors.numpy import load_file

MOST_SLOTS = 256
"""Sequences that llama.cpp decodes at once, at most."""
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


class LlamaShape(TypedDict):
    """What is read of a Llama's `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    rms_norm_eps: float


def write_gguf(folder: Path, target: Path, bf16: bool, eos_id: int) -> None:
    """The checkpoint as GGUF, weights in bf16 or float32. Its tokens are placeholders: prompts are ids."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape: LlamaShape = config
    writer = gguf.GGUFWriter(str(target), "llama")
    _describe(writer, shape, config.get("rope_theta") or config["rope_parameters"]["rope_theta"], eos_id)
    names = dict(OUTER)
    for layer in range(shape["num_hidden_layers"]):
        inner = f"model.layers.{layer}."
        names |= {f"{inner}{ours}.weight": f"blk.{layer}.{theirs}.weight" for ours, theirs in PARTS.items()}
    for name, weight in load_file(str(folder / "model.safetensors")).items():
        array = _interleaved(name, weight.astype(np.float32), shape)
        if bf16 and array.ndim == 2:
            kind = gguf.GGMLQuantizationType.BF16
            writer.add_tensor(names[name], gguf.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(names[name], array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: "gguf.GGUFWriter", shape: LlamaShape, theta: float, eos_id: int) -> None:
    writer.add_context_length(shape["max_position_embeddings"])
    writer.add_embedding_length(shape["hidden_size"])
    writer.add_block_count(shape["num_hidden_layers"])
    writer.add_feed_forward_length(shape["intermediate_size"])
    writer.add_head_count(shape["num_attention_heads"])
    writer.add_head_count_kv(shape["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(shape["rms_norm_eps"])
    writer.add_vocab_size(shape["vocab_size"])
    writer.add_rope_freq_base(theta)
    writer.add_rope_dimension_count(shape["hidden_size"] // shape["num_attention_heads"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"<{number}>" for number in range(shape["vocab_size"])])
    writer.add_token_types([gguf.TokenType.NORMAL] * shape["vocab_size"])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(eos_id)
    writer.add_eos_token_id(eos_id)
    writer.add_add_bos_token(False)


def _interleaved(name: str, weight: np.ndarray, shape: LlamaShape) -> np.ndarray:
    """Queries and keys with the two halves of a rotation side by side, as GGUF's Llama has them."""
    heads = shape["num_attention_heads"] if "q_proj" in name else shape["num_key_value_heads"]
    if "q_proj" not in name and "k_proj" not in name:
        return weight
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def sampler(
    folder: Path, scratch: Path, bf16: bool, threads: int, eos_id: int, prompts: list[list[int]], new: int
) -> Callable[[int], int]:
    """seed -> tokens of one completion of each prompt, at temperature 1 from the whole vocabulary."""
    import xllamacpp

    model = scratch / "model.gguf"
    write_gguf(folder, model, bf16, eos_id)
    slots = min(MOST_SLOTS, len(prompts))
    room = max(map(len, prompts)) + new + 1
    options = xllamacpp.CommonParams()
    options.model.path = str(model)
    options.n_parallel, options.n_ctx = slots, slots * -(-room // 256) * 256
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = threads
    options.n_gpu_layers, options.warmup, options.fit_params = 0, False, False
    options.n_batch = options.n_ubatch = 2048
    server = xllamacpp.Server(options)
    request = {"prompt": prompts, "n_predict": new, "temperature": 1.0, "samplers": ["temperature"]}

    def sample(seed: int) -> int:
        answer = server.handle_completions(request | {"seed": seed})
        return int(answer["usage"]["completion_tokens"])

    return sample
