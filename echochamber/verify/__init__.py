"""One grader to trust: what is it written in, does it run, what does it say, is that right.

Importing this room registers the shipped formats.
"""

from .classify import classify
from .grade import Grader, GraderConfig
from .grade_file import GradeCounts, grade_lines

__all__ = ["GradeCounts", "Grader", "GraderConfig", "classify", "grade_lines"]
