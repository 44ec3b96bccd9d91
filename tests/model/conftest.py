"""A tiny tokenizer, models of both architectures, and their native engine."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from echochamber.core.types import Completion
from echochamber.model.config import ModelConfig
from echochamber.model.runtime import Runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.tokenizer import Tokenizer, train_tokenizer
from echochamber.model.transformer import Transformer
from echochamber.rollout.engines import NativeEngine

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
        architecture=architecture,
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2 if architecture == "llama" else 4,
        max_positions=128,
        tie_embeddings=tie,
        init_std=0.2,
    )
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(seed))
    return model


def native_engine(
    model: Transformer, tokenizer: Tokenizer, sampling: SamplingConfig, dtype: torch.dtype = torch.float32
) -> NativeEngine:
    """The engine on the CPU; in C where the model has it and `dtype` is bfloat16."""
    return NativeEngine(model, tokenizer, sampling, Runtime(torch.device("cpu"), dtype, 1, False), "")


def generate(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    dtype: torch.dtype = torch.float32,
) -> Iterator[list[Completion]]:
    """The native engine's completions of each prompt in order."""
    return native_engine(model, tokenizer, sampling, dtype).sample(prompts, stream_keys)
