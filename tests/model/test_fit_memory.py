"""Not enough memory for the asked batch: the smaller one that fits is used, said and kept on resume."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from echochamber.core.metrics import read_metrics
from echochamber.model import fit_memory
from echochamber.model.presets import preset
from echochamber.model.ranks import Ranks
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.training_memory import TrainingShape, training_estimate
from echochamber.rl.loop import rl
from echochamber.stages.pretrain import pretrain
from tests.rl.rank_runs import PRETRAIN, PROBLEMS, RL, prepare

CONFIG = PRETRAIN["adamw"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tokenizer, shards, base."""
    root = tmp_path_factory.mktemp("memory")
    prepare(root / "data")
    return root / "data"


@pytest.fixture
def said(monkeypatch):
    """What the person watching was told."""
    lines = []
    monkeypatch.setattr(fit_memory, "say", lines.append)
    return lines


def _runtime():
    return start_runtime(RuntimeConfig(threads=1, compile="off", dtype="float32"))


def _pretrain(data, folder):
    folder.mkdir(exist_ok=True)
    pretrain(CONFIG, 0, data / "shards", data / "tokenizer", folder, _runtime())
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl")]


def _free_for(tokens, native=False):
    """Memory in which so many tokens fit, by the estimate of the engine that trains."""
    config = preset("nano-0.2m", 300, 128)
    if native:
        cost = tokens * fit_memory.token_bytes(config, True) + 32 * fit_memory.num_parameters(config)
    else:
        cost = training_estimate(config, TrainingShape(1, tokens, torch.float32))
    return cost / fit_memory.SHARE


def _native():
    return _runtime().native


def test_pretraining_takes_smaller_microbatches_and_the_same_gradient(data, tmp_path, monkeypatch, said):
    whole = _pretrain(data, tmp_path / "whole")
    assert said == []
    assert not (tmp_path / "whole" / fit_memory.RECORD).exists()
    monkeypatch.setattr(fit_memory, "free_bytes", lambda device: _free_for(130, _native()))
    np.testing.assert_allclose(_pretrain(data, tmp_path / "small"), whole, atol=1e-4, rtol=0)
    assert json.loads((tmp_path / "small" / fit_memory.RECORD).read_text()) == {"microbatch_tokens": 128}
    (line,) = said
    assert "512" in line
    assert "128" in line


def test_a_recorded_size_is_kept_when_memory_is_back(data, tmp_path, monkeypatch, said):
    monkeypatch.setattr(fit_memory, "free_bytes", lambda device: _free_for(130, _native()))
    _pretrain(data, tmp_path / "small")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / fit_memory.RECORD).write_text('{"microbatch_tokens": 128}')
    monkeypatch.setattr(fit_memory, "free_bytes", lambda device: float("inf"))
    _pretrain(data, tmp_path / "again")
    assert (tmp_path / "again" / "metrics.jsonl").read_bytes() == (
        tmp_path / "small" / "metrics.jsonl"
    ).read_bytes()
    assert len(said) == 1


def test_rl_samples_and_fits_in_smaller_batches(data, tmp_path, monkeypatch, said):
    runs = []
    for name, free in (("whole", float("inf")), ("small", 400_000.0)):
        monkeypatch.setattr(fit_memory, "free_bytes", lambda device, free=free: free)
        (tmp_path / name).mkdir()
        config = RL["grpo"].model_copy(update={"microbatch_tokens": 1024})
        rl(config, 0, data / "base", PROBLEMS, tmp_path / name, _runtime())
        runs.append(read_metrics(tmp_path / name / "metrics.jsonl"))
    record = json.loads((tmp_path / "small" / fit_memory.RECORD).read_text())
    assert 1 <= record["max_rows"] < 12
    assert record["microbatch_tokens"] == 256
    assert len(said) == 2
    for whole, small in zip(*runs, strict=True):
        assert whole["reward/mean"] == small["reward/mean"]
        assert small["policy/loss"] == pytest.approx(whole["policy/loss"], abs=1e-4)
    texts = [
        pl.read_parquet(tmp_path / name / "rollouts.parquet")["text"].to_list() for name in ("whole", "small")
    ]
    assert texts[0] == texts[1]


def test_one_row_is_the_least(tmp_path, said):
    assert fit_memory.settle(tmp_path, "max_rows", 64, 1, lambda: 0.0, Ranks()) == 1
    assert fit_memory.settle(tmp_path, "microbatch_tokens", 2048, 256, lambda: 700.0, Ranks()) == 512
    assert json.loads((tmp_path / fit_memory.RECORD).read_text()) == {"max_rows": 1, "microbatch_tokens": 512}


def test_free_memory_is_the_least_of_machine_and_container(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 50 kB\n")
    assert fit_memory._meminfo_available(tmp_path / "meminfo") == 50 * 1024
    assert fit_memory._meminfo_available(tmp_path / "none") is None
    assert fit_memory._cgroup_left(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("7\n")
    assert fit_memory._cgroup_left(tmp_path) is None
    (tmp_path / "memory.max").write_text("10\n")
    assert fit_memory._cgroup_left(tmp_path) == 3
    assert fit_memory.free_bytes(torch.device("cpu")) > 0


def test_what_fits_in_torch_is_what_the_estimate_says():
    """To the token; a critic beside the policy leaves room for fewer, less memory for more."""
    config = preset("paper-150m", 32_000, 2048)
    shape, free = TrainingShape(1, 256, torch.bfloat16), 40e9
    tokens = fit_memory.fitting_in_torch(config, free, shape)
    costs = [training_estimate(config, replace(shape, width=int(tokens) + more)) for more in (0, 1)]
    assert costs[0] <= free * fit_memory.SHARE < costs[1]
    assert fit_memory.fitting_in_torch(config, free, shape, critic=True) < 0.8 * tokens
    assert fit_memory.fitting_in_torch(config, free, replace(shape, low_memory=True)) > 1.5 * tokens
    assert fit_memory.fitting_in_torch(config, 1e9, shape) == 0
    assert fit_memory.fitting_in_torch(config, float("inf"), shape) == float("inf")
