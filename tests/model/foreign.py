"""Tiny random models of families that the native decoder does not compute."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from echochamber.model.tokenizer import Tokenizer

FAMILIES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "gpt_neox": {},
    "gemma2": {"head_dim": 8, "sliding_window": 16},
    "gemma3_text": {"head_dim": 8, "sliding_window": 16},
    "phi3": {},
    "olmo2": {},
    "falcon": {"alibi": False},
    "qwen2_moe": {
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
        "num_experts": 4,
        "num_experts_per_tok": 2,
    },
    "granite": {"logits_scaling": 4.0, "residual_multiplier": 0.5},
    "stablelm": {},
}
"""What each family needs beyond `SHAPE` to be tiny and to show what is its own."""
MORE = {
    "bloom": {"n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48},
    "mamba": {},
    "mistral": {"sliding_window": 16},
    "bert": {},
}
"""ALiBi, a decoder inside the trunk, no attention at all, a sliding window, no language model."""
SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 1,
}


def foreign_model(kind: str) -> torch.nn.Module:
    """A model of transformers, its weights large enough that mistakes show."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **SHAPE | {"initializer_range": 0.15} | (FAMILIES | MORE)[kind])
    )
    return model.eval()


def foreign_folder(kind: str, tokenizer: Tokenizer, folder: Path) -> Path:
    """A checkpoint folder of such a model, written by transformers."""
    foreign_model(kind).save_pretrained(folder)
    tokenizer.save(folder)
    return folder
