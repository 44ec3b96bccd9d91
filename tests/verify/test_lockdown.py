"""What cannot be locked down is not asked; what reads memory by address is not there; nan equals nothing."""

import pytest

from echochamber.core.types import Problem
from echochamber.verify.compare import equal_text
from echochamber.verify.grade import Grader
from echochamber.verify.programs import Program
from echochamber.verify.sandbox.lockdown import REQUIRED, available_layers
from echochamber.verify.sandbox.locked import LockedPool
from echochamber.verify.sandbox.result import SandboxLimits
from echochamber.verify.sandbox.worker import WorkerProcess
from echochamber.verify.symbolic import Algebra

ALGEBRA = Problem("1", "", "2\\sqrt{2}")


@pytest.mark.parametrize("missing", REQUIRED)
def test_algebra_without_a_layer_is_not_asked(monkeypatch, missing):
    asked = []
    monkeypatch.setattr(WorkerProcess, "start", lambda self: " ".join(set(REQUIRED) - {missing}))
    monkeypatch.setattr(WorkerProcess, "request", lambda *arguments, **how: asked.append(arguments))
    with pytest.raises(OSError, match=f"cannot be locked down: no {missing}"):
        Algebra().means_same("2\\sqrt{2}", "\\sqrt{8}")
    with Grader() as grader:
        verdict = grader.grade(ALGEBRA, "The answer is $\\boxed{\\sqrt{8}}$.")
    assert verdict.outcome == "infrastructure"
    assert missing in verdict.detail
    assert asked == []


@pytest.mark.skipif(
    not all(available_layers()[name] for name in REQUIRED), reason="cannot be locked down here"
)
def test_algebra_with_all_layers_answers():
    algebra = Algebra()
    assert algebra.means_same("2\\sqrt{2}", "\\sqrt{8}") is True
    algebra.close()


@pytest.mark.skipif(
    not all(available_layers()[name] for name in REQUIRED), reason="cannot be locked down here"
)
@pytest.mark.parametrize(
    "way",
    [
        "import ctypes",
        "import _ctypes",
        "from ctypes import memmove",
        "import numpy.ctypeslib as c\nc.ctypes.memmove",
        "import sys\nsys.modules.pop('ctypes')\nsys.modules['ctypes'].memmove",
    ],
)
def test_tier_two_has_no_memory_access(way):
    pool = LockedPool(SandboxLimits())
    plain = pool.run(Program(("import sympy\nsympy.Integer(18)",)))
    result = pool.run(Program((f"{way}\n18",)))
    pool.close()
    assert plain.text == "18"
    assert result.status == "error", result


@pytest.mark.parametrize("answer", ["nan", "NaN", "-nan", "\\text{nan}"])
@pytest.mark.parametrize("reference", ["nan", "NaN", "3"])
def test_nan_equals_nothing(answer, reference):
    assert equal_text(answer, reference) is False
