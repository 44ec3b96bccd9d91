"""Peak memory of a training step, on tensors without data: counted by MemTracker, estimated from shapes."""

import pytest
import torch

from echochamber.model.presets import num_parameters, preset
from echochamber.model.training_memory import TrainingShape, training_estimate, training_peak


@pytest.mark.slow
def test_the_estimate_at_150m_is_an_upper_bound_and_a_near_one():
    config, shape = preset("paper-150m", 32_000, 2048), TrainingShape(16, 2048)
    assert 1.0 <= training_estimate(config, shape) / training_peak(config, shape) <= 1.3


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
