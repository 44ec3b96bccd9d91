"""A tiny tokenizer and models of both architectures."""

import pytest
import torch

from echochamber.model.config import ModelConfig
from echochamber.model.tokenizer import Tokenizer, train_tokenizer
from echochamber.model.transformer import Transformer

CORPUS = [
    f"Mia has {i} boxes of {j} pens. How many pens? {i} * {j} = {i * j}" for i in range(9) for j in range(9)
]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """300 tokens, trained on one sentence."""
    return train_tokenizer(CORPUS, 300)


def tiny_model(architecture: str, tie: bool = True, seed: int = 0) -> Transformer:
    """Two layers of width 32 with random weights large enough that mistakes show."""
    config = ModelConfig(
        architecture=architecture, vocab_size=300, hidden_size=32, intermediate_size=48, num_layers=2, num_heads=4,
        num_kv_heads=2 if architecture == "llama" else 4, max_positions=128, tie_embeddings=tie, init_std=0.2,
    )  # fmt: skip
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(seed))
    return model
