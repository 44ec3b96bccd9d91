"""What cannot be locked down is not asked; what reads memory by address is not there; nan equals nothing."""

import threading
import time
from contextlib import suppress
from pathlib import Path

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


_LOCKED = pytest.mark.skipif(
    not all(available_layers()[name] for name in REQUIRED), reason="cannot be locked down here"
)
_WRITE_BY_INTERFACE = """import numpy
class Anywhere:
    __array_interface__ = {"data": (id(3) + 24, False), "shape": (1,), "typestr": "<u4", "version": 3}
numpy.asarray(Anywhere())[0] = 18
3"""
_WRITE_BY_STRIDES = """import numpy
from numpy.lib.stride_tricks import as_strided
own = numpy.zeros(1, dtype=numpy.uint8)
as_strided(own, (2,), (id(3) + 24 - own.__array_interface__["data"][0],))[1] = 18
3"""


@_LOCKED
def test_a_rewritten_integer_is_not_paid():
    """numpy reads and writes any address; a three that was made to look like eighteen is no answer."""
    pool = LockedPool(SandboxLimits())
    for program in (_WRITE_BY_INTERFACE, _WRITE_BY_STRIDES):
        changed = pool.run(Program((program,)))
        assert (changed.status, changed.text) == ("error", ""), changed
    honest = pool.run(Program(("import numpy\nint(numpy.sum([1, 2]))",)))
    pool.close()
    assert (honest.status, honest.text) == ("value", "3")


_ALL_IT_CAN = """held = []
try:
    while True:
        held.append(bytearray(8 << 20))
        held[-1][::4096] = bytes(range(256)) * 8
except MemoryError:
    pass
import time
time.sleep(0.5)
len(held) * 8"""


def _tree(root):
    """Process ids of a process and everything below it."""
    found = [root]
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) in found:
                found.append(int(path.parent.name))
    return found


def _resident_mb(pids):
    """Memory of several processes in MB, pages that they share counted once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@pytest.mark.slow
@_LOCKED
def test_the_memory_of_a_program_and_all_that_it_starts_is_bounded():
    """One process at most: whoever starts another ends. So the limit of the process is that of the tree."""
    limits = SandboxLimits(locked_memory_mb=600)
    pool = LockedPool(limits)
    for way in ("import os\nos.fork()", "import threading\nthreading.Thread(target=print).start()",
                "import multiprocessing.shared_memory as s\ns.SharedMemory(create=True, size=1 << 28)",
                "import subprocess\nsubprocess.run(['true'])", "import os\nos.memfd_create('x')",
                "import mmap\n[mmap.mmap(-1, 1 << 28) for _ in range(9)]"):  # fmt: skip
        assert pool.run(Program((f"{way}\n18",))).status == "error", way
    peaks, done = [], []
    thread = threading.Thread(target=lambda: done.append(pool.run(Program((_ALL_IT_CAN,)))))
    thread.start()
    zygote = pool._all[0].process.pid
    while thread.is_alive():
        peaks.append(_resident_mb(_tree(zygote)))
        time.sleep(0.02)
    pool.close()
    assert done[0].status == "value", done
    assert int(done[0].text) > 100
    assert 200 < max(peaks) < limits.locked_memory_mb + 100


@pytest.mark.parametrize("answer", ["nan", "NaN", "-nan", "\\text{nan}"])
@pytest.mark.parametrize("reference", ["nan", "NaN", "3"])
def test_nan_equals_nothing(answer, reference):
    assert equal_text(answer, reference) is False
