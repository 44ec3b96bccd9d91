"""The walks through the code: every step exists and is referred to, and no walk is longer than its goal."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "file_walks.py"
SPEC = importlib.util.spec_from_file_location("file_walks", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
file_walks = importlib.util.module_from_spec(SPEC)
sys.modules["file_walks"] = file_walks  # dataclasses look their module up
SPEC.loader.exec_module(file_walks)


@pytest.mark.parametrize("walk", file_walks.WALKS, ids=lambda walk: walk.title)
def test_a_walk_exists_and_is_no_longer_than_its_goal(walk):
    assert list(file_walks.faults(walk)) == []
    assert len(file_walks.files(walk)) <= walk.goal


def test_a_missing_function_and_a_step_without_a_reference_are_named():
    walk = file_walks.Walk("x", 9, ("@rl.loop:nothing", "core.jsonl:read_jsonl", "rl.none:f"))
    assert list(file_walks.faults(walk)) == [
        "x: rl.loop has no nothing",
        "x: no earlier step refers to core.jsonl:read_jsonl",
        "x: rl.none is no module",
    ]


def test_references_are_imports_by_name_and_attributes_of_imported_modules():
    text = "from ..core.jsonl import read_jsonl as r\nfrom . import prepare\nprepare.read_problems(1)\n"
    found = file_walks.references("stages.evaluate", ast.parse(text))
    assert found == {"core.jsonl:read_jsonl", "stages.prepare:read_problems"}


def test_the_same_file_counts_once():
    walk = file_walks.Walk("x", 9, ("@rl.loop:rl", "rl.loop:VERSION"))
    assert len(file_walks.files(walk)) == 1
