"""`runtime.low_memory`: the same numbers up to rounding, with half of the memory."""

import numpy as np
import pytest
import torch

from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rl import log
from echochamber.rl.config import RLConfig
from tests.rl.enumerated import learner_for
from tests.rl.test_update import _config, _rollouts, _sampled_logprobs

from .conftest import tiny_model


def _runtime(**settings):
    return start_runtime(
        RuntimeConfig(device="cpu", dtype="float32", compile="off", native="off", threads=1, **settings)
    )


def test_auto_is_off_on_a_cpu():
    assert not _runtime().low_memory
    assert _runtime(low_memory="on").low_memory


def test_the_default_leaves_fingerprints_as_they_were():
    assert "low_memory" not in RuntimeConfig().identity()
    assert RuntimeConfig(low_memory="on").identity()["low_memory"] == "on"


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
def test_a_models_loss_and_gradient_are_the_same(architecture):
    token_ids = torch.randint(0, 300, (3, 20), generator=torch.Generator().manual_seed(1))
    found = []
    for low_memory in (False, True):
        model = tiny_model(architecture)
        model.low_memory = low_memory
        loss = -model(token_ids[:, :-1], None, token_ids[:, 1:]).mean()
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters())])
    for plain, chunked in zip(*found, strict=True):
        torch.testing.assert_close(chunked, plain, atol=1e-6, rtol=1e-5)


def test_monitoring_keeps_to_the_microbatch_and_says_the_same(monkeypatch):
    monkeypatch.setattr("echochamber.rollout.batch.row_width", lambda rollouts: 64)
    config = _config("grpo", microbatch_tokens=64)
    rollouts = _sampled_logprobs(config, _rollouts())
    sizes, ordinary = [], log.batch_logprobs

    def watched(model, batch, *rest, **named):
        sizes.append(batch.rows.token_ids.numel())
        return ordinary(model, batch, *rest, **named)

    monkeypatch.setattr(log, "batch_logprobs", watched)
    plain = log.compare(learner_for(config), rollouts, config, _runtime())
    assert len(sizes) == 2
    sizes.clear()
    lean = log.compare(learner_for(config), rollouts, config, _runtime(low_memory="on"))
    assert len(sizes) > 2
    assert max(sizes) == 64
    assert plain.keys() == lean.keys()
    np.testing.assert_allclose(list(lean.values()), list(plain.values()), atol=1e-6, rtol=1e-5)
    assert isinstance(config, RLConfig)
