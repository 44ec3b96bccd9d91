"""Pretraining and the update of every algorithm on `meta`: no operation mixes devices."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from echochamber.model.optimizer import Optimizer
from echochamber.model.runtime import Runtime
from echochamber.model.settings import OptimizerConfig
from echochamber.rl import update
from echochamber.rl.algorithms import registered_algorithms
from echochamber.rl.config import RLConfig
from echochamber.rl.log import compare
from echochamber.rl.targets import estimate
from echochamber.rl.update import fit
from echochamber.rollout.collect import Collection
from echochamber.stages.pretrain import backward, loss_function
from tests.model.conftest import tiny_model

from .device_lint import OneDevice
from .enumerated import learner_for
from .test_update import _rollouts

META = torch.device("meta")
ALGORITHMS = [row.name for row in registered_algorithms()]
VARIANTS = {
    "plain": {},
    "k1 in the reward": {"kl": {"coef": 0.1, "estimator": "k1", "place": "reward"}},
    "exact in the loss": {"kl": {"coef": 0.1, "estimator": "exact", "place": "loss"}},
    "recomputed": {"loss": {"old_logprobs": "recomputed"}},
}


@pytest.fixture(autouse=True)
def without_what_meta_lacks(monkeypatch):
    """`meta` has no autocast and no fused AdamW; the loop over parameters does the same."""
    autocast, asked = torch.autocast, torch.is_autocast_enabled
    monkeypatch.setattr(
        torch, "autocast", lambda kind, **named: nullcontext() if kind == "meta" else autocast(kind, **named)
    )
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind="cuda": kind != "meta" and asked(kind))
    ordinary = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda *a, fused, **named: ordinary(*a, foreach=False, **named))


def _runtime(low_memory):
    return Runtime(META, torch.float32, 1, compile=False, low_memory=low_memory)


def _train(algorithm, settings, low_memory):
    """One step of RL after sampling: what `rl.loop` does with the learner."""
    demonstrations = {"completions": "file.jsonl"} if algorithm == "sft" else {}
    config = RLConfig(
        algorithm=algorithm, **{"samples_per_prompt": 8, "max_new_tokens": 6} | settings | demonstrations
    )
    learner = learner_for(config)
    for model in (learner.policy, learner.reference, learner.critic):
        if model is not None:
            model.to(META)
    learner.policy.low_memory = low_memory
    learner.optimizer = Optimizer(learner.policy, config.optimizer)
    if learner.critic is not None:
        learner.critic_optimizer = Optimizer(learner.critic, config.critic.optimizer)
    collection, runtime = Collection(_rollouts(), 8), _runtime(low_memory)
    with OneDevice() as lint:
        compare(learner, collection.rollouts, config, runtime)
        targets = estimate(learner, collection, config, runtime)
        found = fit(learner, collection, targets, config, runtime, lambda *_: 1.0, (0, 1))
    assert found["policy/updates"] > 0
    return lint.count


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.medium
def test_an_update_stays_on_its_device(algorithm, low_memory):
    assert _train(algorithm, {}, low_memory) > 100


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("algorithm", ["ppo", "grpo"])
@pytest.mark.medium
def test_so_do_penalties_and_recomputed_logprobs(algorithm, settings):
    assert _train(algorithm, settings, low_memory=False) > 100


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_pretraining_step_stays_on_its_device(masked, name):
    model = tiny_model("llama").to(META)
    optimizer = Optimizer(model, OptimizerConfig(name=name))
    ids = torch.from_numpy(np.arange(4 * 17).reshape(4, 17) % 300).to(META)
    documents = torch.zeros(4, 16, dtype=torch.long).to(META) if masked else None
    with OneDevice() as lint:
        backward(loss_function(model, _runtime(False)), (ids[:, :-1], ids[:, 1:], documents), 4, 2)
        optimizer.step(1.0)
    assert lint.count > 100


def test_a_planted_bug_is_caught(monkeypatch):
    """A mask that was forgotten on the CPU, as in a `spread` that does not move it."""

    def forgets(batch, values):
        return torch.zeros(batch.completion_mask.shape, device=values.device).masked_scatter(
            batch.completion_mask, values
        )

    monkeypatch.setattr(update, "spread", forgets)
    with pytest.raises(AssertionError, match="masked_scatter.*mixes cpu and meta"):
        _train("grpo", {}, low_memory=False)
