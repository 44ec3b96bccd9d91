"""torch compiles at most eight graphs of a block, and runs the ninth shape uncompiled without an error."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from echochamber.model import runtime as runtime_module
from echochamber.model.runtime import RuntimeConfig, prepare, start_runtime

from .conftest import tiny_model


def test_at_most_eight_graphs_over_all_widths():
    """Causal and packed rows, with gradient and without, with one row and several."""
    command = [sys.executable, "-m", "tests.model.compiled_graphs"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    dynamic, fixed_first, packed = (tuple(row) for row in json.loads(told))
    assert 4 <= dynamic[0] <= 8
    assert not dynamic[1]
    assert fixed_first == (8, True), "what the other way does with these kinds, on CUDA"
    assert packed[0] <= 8, "RL on a CPU: policy and critic share the block's graphs"
    assert not packed[1]


@pytest.mark.parametrize(("device", "expected"), [("cuda", True), ("cpu", None)])
def test_rl_asks_for_dynamic_shapes_on_cuda(monkeypatch, device, expected):
    plain = start_runtime(RuntimeConfig(threads=1, compile="off", native="off", dtype="float32"))
    found = replace(plain, device=torch.device(device), compile=True)
    asked = []
    monkeypatch.setattr(
        runtime_module.Transformer, "compile_blocks", lambda self, dynamic=None: asked.append(dynamic)
    )
    prepare(tiny_model("llama"), found, split=False, many_widths=True)
    prepare(tiny_model("llama"), found, split=False)
    assert asked == [expected, None]
