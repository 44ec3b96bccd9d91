"""The self-check of `doctor --gpu`, run on the CPU at tiny sizes, and what it says of a device that errs."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from echochamber.bench import device_check
from echochamber.bench.device_check import correctness_checks
from echochamber.bench.device_parts import TINY, Finding, run_checks
from echochamber.bench.device_speed import speed_checks
from echochamber.bench.self_check import run_self_check
from echochamber.core.errors import UserError
from echochamber.model.peak import stated_peak

CPU = torch.device("cpu")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_check.sh"


def _run(chosen):
    checks = dict(correctness_checks(CPU, TINY))
    return list(run_checks([(chosen, checks[chosen])]))


@pytest.mark.parametrize("name", [name for name, _ in correctness_checks(CPU, TINY)])
@pytest.mark.medium
def test_every_comparison_is_made_and_holds_on_a_cpu(name):
    found = _run(name)
    assert found
    assert {one.state for one in found} == {"ok"}, found


@pytest.mark.medium
def test_a_device_that_computes_something_else_fails(monkeypatch):
    """The second model, the device's, has a weight that is 1% off."""
    ordinary, made = device_check.random_model, []

    def broken(*args):
        model = ordinary(*args)
        made.append(model)
        if len(made) == 2:
            with torch.no_grad():
                model.blocks[0].mlp.down_proj.weight.mul_(1.01)
        return model

    monkeypatch.setattr(device_check, "random_model", broken)
    states = {one.name: one.state for one in _run("float32")}
    assert states["logits, float32"] == "FAILED"
    assert states["gradients, float32"] == "FAILED"


@pytest.mark.medium
def test_a_sampler_that_is_not_the_trainer_fails(monkeypatch):
    ordinary = device_check._sampled

    def off(*args, **named):
        return [
            dataclasses.replace(one, logprobs=tuple(value - 0.1 for value in one.logprobs))
            for one in ordinary(*args, **named)
        ]

    monkeypatch.setattr(device_check, "_sampled", off)
    assert [one.state for one in _run("bf16 sampler")] == ["FAILED"]


def test_state_that_is_not_restored_fails(monkeypatch):
    monkeypatch.setattr(device_check, "load_state", lambda *_: None)
    assert [one.state for one in _run("resume")] == ["FAILED"]


def test_a_check_that_raises_is_a_finding_and_the_next_one_runs():
    def out_of_memory():
        raise RuntimeError("CUDA out of memory")

    found = list(run_checks([("one", out_of_memory), ("two", lambda: iter([Finding("two", "ok", "")]))]))
    assert [(one.name, one.state) for one in found] == [("one", "FAILED"), ("two", "ok")]
    assert "CUDA out of memory" in found[0].detail


@pytest.mark.slow
def test_speeds_are_measured():
    found = list(run_checks(speed_checks(CPU, TINY)))
    assert {one.state for one in found} == {"measured"}, found
    text = " ".join(one.detail for one in found)
    for unit in ("TFLOP/s", "GB/s", "tokens/s", "% of the peak", "GB in"):
        assert unit in text


def test_a_missing_device_and_an_unknown_one_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device; --device cpu"):
        next(run_self_check("cuda"))
    with pytest.raises(UserError, match="'tpu'; allowed are cuda and cpu"):
        next(run_self_check("tpu"))


@pytest.mark.parametrize(
    ("name", "rate"),
    [("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("Quadro K420", None)],
)
def test_the_stated_peak_follows_from_the_devices_name(monkeypatch, name, rate):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert stated_peak(torch.device("cuda"), torch.bfloat16) == rate
    assert stated_peak(torch.device("cuda"), torch.float32) is None
    assert stated_peak(CPU, torch.bfloat16) is None


@pytest.mark.slow
def test_the_script_prints_a_table():
    ended = subprocess.run(
        ["bash", SCRIPT, "--device", "cpu"],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[:2] == ["| check | state | found |", "|---|---|---|"]
    assert all(line.count(" | ") >= 2 for line in lines[2:])
    assert any("step of ppo" in line and " ok " in line for line in lines)
