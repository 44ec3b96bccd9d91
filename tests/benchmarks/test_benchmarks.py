"""Benchmarks are run by hand; here each must at least fit the code that it measures."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_finds_what_it_imports_and_says_how_to_run_it(path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # as `python benchmarks/x.py` finds what lies beside it
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"python benchmarks/{path.name}" in module.__doc__
    assert callable(module.main)


@pytest.mark.slow
def test_a_short_run_of_random_faults_ends_in_the_same_bytes(tmp_path):
    """Each kind of fault once; `make chaos` tries more."""
    command = [sys.executable, FOLDER / "chaos.py", "--faults", "10", "--seed", "3", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    number, failed = re.search(r"(\d+) faults, (\d+) with", done.stdout).groups()
    assert int(number) >= 9
    assert failed == "0"
