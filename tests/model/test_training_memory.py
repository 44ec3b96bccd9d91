"""Peak memory of a training step, on tensors without data: counted by MemTracker, estimated from shapes."""

import pytest
import torch

from echochamber.model.presets import num_parameters, preset
from echochamber.model.training_memory import (
    TrainingShape,
    rl_training_estimate,
    rl_training_peak,
    training_estimate,
    training_peak,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "rows", "low_memory", "checkpoint_blocks"),
    [
        ("paper-150m", 16, False, False),
        ("paper-150m", 16, True, False),
        ("paper-1b", 4, False, False),
        ("paper-1b", 4, True, True),
    ],
)
def test_the_estimate_is_an_upper_bound_and_a_near_one(size, rows, low_memory, checkpoint_blocks):
    shape = TrainingShape(rows, 2048, low_memory=low_memory, checkpoint_blocks=checkpoint_blocks)
    config = preset(size, 32_000, 2048)
    assert 1.0 <= training_estimate(config, shape) / training_peak(config, shape) <= 1.3


@pytest.mark.slow
@pytest.mark.parametrize("less", [False, True])
def test_policy_base_and_critic_are_estimated_together(less):
    shape = TrainingShape(8, 512, low_memory=less, checkpoint_blocks=less)
    config = preset("nano-0.8m", 8000, 512)
    assert 1.0 <= rl_training_estimate(config, shape) / rl_training_peak(config, shape) <= 1.3


@pytest.mark.medium
def test_chunks_save_most_of_the_head():
    """A small model whose vocabulary is most of its memory."""
    config = preset("nano-0.2m", 32_000, 256)
    plain, chunks = (training_peak(config, TrainingShape(16, 256, low_memory=low)) for low in (False, True))
    head = 16 * 32_000 * 16 * 256
    assert plain > head
    assert chunks < plain - 0.6 * head


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.medium
def test_a_tiny_model_is_counted_in_full(dtype):
    """Weights, gradients and two moments are alive at the second step, whatever else is."""
    config, shape = preset("nano-0.2m", 300, 64), TrainingShape(2, 32, dtype)
    assert training_peak(config, shape) >= 16 * num_parameters(config)
