"""What `auto` resolves to on CPUs with and without bf16 units, with and without the engine in C."""

import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.model import runtime
from echochamber.model.runtime import RuntimeConfig, start_runtime

CASES = {
    "bf16 units and a compiler": (True, None, torch.bfloat16, True),
    "bf16 units, no compiler": (True, "no C compiler", torch.float32, False),
    "AVX2 and a compiler": (False, None, torch.float32, True),
    "AVX2, no compiler": (False, "no C compiler", torch.float32, False),
}


@pytest.fixture
def cpu(monkeypatch):
    """A CPU as asked for: (bf16 units, why the engine in C does not run)."""

    def be(bf16, reason):
        monkeypatch.setattr(runtime, "cell_dtype", lambda: torch.bfloat16 if bf16 else torch.float32)
        monkeypatch.setattr(runtime, "why_not", lambda: reason)

    return be


@pytest.mark.parametrize(("bf16", "reason", "dtype", "native"), CASES.values(), ids=CASES)
def test_auto_takes_the_engine_in_its_precision_and_float32_without_it(cpu, bf16, reason, dtype, native):
    cpu(bf16, reason)
    chosen = start_runtime(RuntimeConfig(device="cpu", threads=1, compile="off"))
    assert (chosen.dtype, chosen.native) == (dtype, native)


@pytest.mark.parametrize("bf16", [True, False])
def test_engine_off_keeps_its_precision(cpu, bf16):
    cpu(bf16, None)
    chosen = start_runtime(RuntimeConfig(device="cpu", threads=1, compile="off", native="off"))
    assert (chosen.dtype, chosen.native) == (torch.bfloat16 if bf16 else torch.float32, False)


@pytest.mark.parametrize(("bf16", "dtype"), [(True, "float32"), (False, "bfloat16")])
def test_the_other_precision_runs_in_pytorch(cpu, bf16, dtype):
    cpu(bf16, None)
    settings = {"device": "cpu", "threads": 1, "compile": "off", "dtype": dtype}
    chosen = start_runtime(RuntimeConfig(**settings))
    assert (chosen.dtype, chosen.native) == (getattr(torch, dtype), False)
    with pytest.raises(UserError, match="on this CPU it computes in"):
        start_runtime(RuntimeConfig(**settings, native="on"))


def test_on_names_the_reason_where_the_engine_does_not_run(cpu):
    cpu(False, "no C compiler (cc, gcc or clang) is on the path")
    with pytest.raises(UserError, match="runtime.native is 'on'.*no C compiler"):
        start_runtime(RuntimeConfig(device="cpu", threads=1, compile="off", native="on"))
