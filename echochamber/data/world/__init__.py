"""Generated word problems with exact answers and known intermediate values.

Names are loaded when they are first used: a recipe needs the settings alone, not the families of problems.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import LEVELS, PROBLEM_SETS, WorldConfig
    from .draw import draw_problem, operations_of, problem_set
    from .families import FAMILIES

_MODULES = {
    "FAMILIES": "families",
    "LEVELS": "config",
    "PROBLEM_SETS": "config",
    "WorldConfig": "config",
    "draw_problem": "draw",
    "operations_of": "draw",
    "problem_set": "draw",
}
"""Public name -> the module that has it."""

__all__ = [
    "FAMILIES",
    "LEVELS",
    "PROBLEM_SETS",
    "WorldConfig",
    "draw_problem",
    "operations_of",
    "problem_set",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
