"""From a study folder to tables, figures and one page; no torch, nothing is graded here."""

from .report import build_report
from .summary import study_summary

__all__ = ["build_report", "study_summary"]
