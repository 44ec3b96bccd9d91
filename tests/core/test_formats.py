"""The format registry does not depend on who imports first."""

import json
import subprocess
import sys
from itertools import permutations

import pytest

from echochamber.core.formats import FORMAT_NAMES, SHIPPED_FORMATS, registered_formats

MODULES = (
    "echochamber.core.formats",
    "echochamber.verify.grade",
    "echochamber.rollout.rewards",
    "echochamber.analysis.report",
)
PROGRAM = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
from echochamber.core.formats import registered_formats
print(json.dumps([[name, row.title] for name, row in registered_formats().items()]))
"""


def registered_after(*modules: str) -> list[list[str]]:
    """Names and titles of the registry in a fresh process that imports `modules` in this order."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules], check=True, capture_output=True, text=True
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("first", MODULES)
@pytest.mark.medium
def test_the_registry_is_the_same_whoever_imports_first(first: str) -> None:
    rest = [name for name in MODULES if name != first]
    expected = [[row.name, row.title] for row in SHIPPED_FORMATS]
    assert registered_after(first) == expected
    assert registered_after(first, *reversed(rest)) == expected


def test_own_rows_follow_the_shipped_ones_even_where_the_module_comes_first() -> None:
    own = "from echochamber.core.formats import Format, register_format, registered_formats as all_rows\n"
    own += "register_format(Format('own', str.isupper, 'stated', title='capitals'))\n"
    for order in permutations(["import echochamber.verify\n", own]):
        code = "".join(order) + "print(*all_rows())"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stdout.split() == [*FORMAT_NAMES, "own"]


def test_every_shipped_row_has_a_title() -> None:
    assert all(row.title for row in SHIPPED_FORMATS)
    assert len({row.title for row in SHIPPED_FORMATS}) == len(SHIPPED_FORMATS)
    assert tuple(registered_formats())[: len(FORMAT_NAMES)] == FORMAT_NAMES
