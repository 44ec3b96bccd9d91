"""What the cases start from: a checkpoint and a finished study, both as small as there can be."""

from pathlib import Path

import pytest
import torch

from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.config import ModelConfig
from echochamber.model.tokenizer import train_tokenizer
from echochamber.model.transformer import Transformer
from tests.study.tiny import run_tiny

CORPUS = [f"Mia has {i} boxes of {j} pens. {i} * {j} = {i * j}" for i in range(9) for j in range(9)]


def make_checkpoint(folder: Path) -> Path:
    """One layer of width 8."""
    config = ModelConfig(
        vocab_size=300,
        hidden_size=8,
        intermediate_size=8,
        num_layers=1,
        num_heads=1,
        num_kv_heads=1,
        max_positions=128,
    )
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(0))
    save_checkpoint(folder, model, train_tokenizer(CORPUS, 300))
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that loads."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model")


def make_study(folder: Path) -> Path:
    """A finished study of a few seconds, with its page."""
    done = run_tiny(folder)
    assert not done.failed
    return folder


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study."""
    return make_study(tmp_path_factory.mktemp("tiny") / "study")
