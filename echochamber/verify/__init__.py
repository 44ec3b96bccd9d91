"""One grader: the format of a completion, its program's result, its answer, and whether that is right."""

from .grade import Grader, GraderConfig
from .grade_file import GradeCounts, grade_lines
from .legacy import LegacyGrader, LegacyVerdict, legacy_label
from .process import ProcessVerdict, check_process
from .report import sandbox_report
from .style import style_features

__all__ = [
    "GradeCounts",
    "Grader",
    "GraderConfig",
    "LegacyGrader",
    "LegacyVerdict",
    "ProcessVerdict",
    "check_process",
    "grade_lines",
    "legacy_label",
    "sandbox_report",
    "style_features",
]
