"""What other systems lack, taken away here: Windows' Python has no such modules and calls, macOS no /proc.

This shows that the guards hold, and nothing of the systems themselves; docs/install.md says so.
"""

import json
import subprocess
import sys

import pytest

WINDOWS = """
import importlib, json, os, pkgutil, select, sys
LACKING = {"resource", "fcntl", "pwd", "grp", "termios"}
for name in LACKING:
    sys.modules[name] = None
for name in ("fork", "geteuid", "getuid", "killpg", "O_ACCMODE", "O_PATH", "pidfd_open", "sched_getaffinity"):
    delattr(os, name)
del select.poll
import platform
platform.machine = lambda: "AMD64"
"""
MACOS = """
import importlib, json, os, pkgutil, select, sys
from pathlib import Path
for name in ("O_PATH", "pidfd_open", "sched_getaffinity"):
    delattr(os, name)
import sysconfig, torch, pydantic_monty
LACKING = set()
sysconfig.get_config_vars()
sys.platform = "darwin"
def without_proc(of):
    def call(self, *given, **named):
        if str(self).startswith(("/proc", "/sys")):
            raise FileNotFoundError(2, "No such file", str(self))
        return of(self, *given, **named)
    return call
for name in ("open", "read_text", "read_bytes", "stat"):
    setattr(Path, name, without_proc(getattr(Path, name)))
"""
SYSTEMS = {"windows": WINDOWS, "macos": MACOS}


def under(system, code):
    """What the last line of `code` prints as JSON, where the system's lacks are made."""
    ended = subprocess.run([sys.executable, "-c", SYSTEMS[system] + code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.medium
@pytest.mark.parametrize("system", SYSTEMS)
def test_everything_can_be_imported(system):
    loaded = under(
        system,
        """
import echochamber
loaded = 0
for module in pkgutil.walk_packages(echochamber.__path__, "echochamber."):
    try:
        loaded += not module.name.endswith("__main__") and bool(importlib.import_module(module.name))
    except ModuleNotFoundError as missing:  # of an extra that is not installed here
        if missing.name.partition(".")[0] in LACKING | {"echochamber"}:
            raise
print(json.dumps(loaded))
""",
    )
    assert loaded > 300


@pytest.mark.medium
@pytest.mark.parametrize("system", SYSTEMS)
def test_simple_programs_are_graded_and_what_needs_a_locked_process_is_refused(system):
    found = under(
        system,
        r"""
from echochamber.core.types import Problem
from echochamber.verify.grader_config import GraderConfig
from echochamber.verify.grade import Grader
from echochamber.verify.sandbox.worker import WorkerProcess
from echochamber.verify.symbolic_worker import lock
assert lock() == []
if hasattr(select, "poll"):
    WorkerProcess.start = lambda self: " ".join(lock())  # a worker of this system has this one's layers
plain = "def f():\n    return 6 * 3"
sympy = "import sympy\ndef f():\n    return sympy.Integer(18)"
texts = [plain, sympy, r"\boxed{3\sqrt{2}}"]
problems = [Problem(id=str(n), question="", reference=r) for n, r in enumerate(["18", "18", r"\sqrt{18}"])]
with Grader(GraderConfig(tier2=True)) as grader:
    found = [grader.grade(*pair) for pair in zip(problems, texts)]
print(json.dumps([[v.outcome, v.detail] for v in found]))
""",
    )
    assert [outcome for outcome, _ in found] == ["correct", "unsupported", "infrastructure"], found
    assert found[1][1] == "second tier needs Linux on x86-64"
    assert found[2][1].startswith("algebra worker: ")


@pytest.mark.medium
def test_without_owners_of_files_the_engine_in_c_is_not_loaded():
    why = under(
        "windows", "from echochamber.model.native.library import why_not\nprint(json.dumps(why_not()))"
    )
    assert why == "it needs Linux or macOS" or "AVX2" in why


@pytest.mark.medium
@pytest.mark.parametrize("system", SYSTEMS)
def test_commands_start(system, tmp_path):
    given = ["study", "smoke", "--dry-run", "--out", str(tmp_path / "s")]
    code = f"sys.argv = ['echochamber', *{given!r}]\nfrom echochamber.cli.app import main\nmain()\n"
    ended = subprocess.run([sys.executable, "-c", SYSTEMS[system] + code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "smoke: 11 stages" in ended.stdout
