"""Settings of the grader, apart from the grader."""

from typing import Literal

from pydantic import Field

from ..core.config import Config
from .sandbox.result import SandboxLimits


class GraderConfig(Config):
    """How answers are decided; picklable, so that a process can build its own grader."""

    omi1_answer: Literal["program", "box"] = "program"
    """Where an `<llm-code>` program and its box disagree, which one is the answer."""
    tier2: bool = False
    """Run what Monty does not support (sympy above all) in the locked-down process."""
    algebra: bool = True
    """Ask math-verify, out of process, where exact rules cannot decide."""
    algebra_seconds: float = Field(default=2.0, gt=0)
    """Wall-clock limit per question to the algebra worker; beyond it the answer is wrong."""
    style: bool = True
    """Record style features in the verdict."""
    process: bool = True
    """Judge the steps of problems that carry a solution graph."""
    limits: SandboxLimits = SandboxLimits()
