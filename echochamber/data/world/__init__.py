"""Generated word problems with exact answers and known intermediate values."""

from .config import LEVELS, PROBLEM_SETS, WorldConfig
from .draw import draw_problem, operations_of, problem_set
from .families import FAMILIES

__all__ = [
    "FAMILIES",
    "LEVELS",
    "PROBLEM_SETS",
    "WorldConfig",
    "draw_problem",
    "operations_of",
    "problem_set",
]
