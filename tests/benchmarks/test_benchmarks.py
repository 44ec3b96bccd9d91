"""Benchmarks are run by hand; here each must at least fit the code that it measures."""

import importlib.util
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
