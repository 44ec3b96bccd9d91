"""What a sandbox reports, whichever tier ran the program."""

from dataclasses import dataclass
from typing import Literal

from ...core.config import Config

Status = Literal["value", "none", "error", "timeout", "unsupported", "infrastructure"]
ValueKind = Literal["int", "float", "text"]


class SandboxLimits(Config):
    """SandboxLimits per program."""

    seconds: float = 1.0
    """Running time inside the sandbox."""
    grace_seconds: float = 1.0
    """Wall-clock time beyond that until the worker is killed."""
    memory_mb: int = 64
    output_kb: int = 64
    """Printed text; more ends the program."""
    recursion_depth: int = 400
    locked_seconds: float = 5.0
    """Second tier: wall-clock time of a program; sympy is slow."""
    locked_memory_mb: int = 1024
    """Second tier: address space, libraries included."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One program's end: a single number or short text, or why there is none."""

    status: Status
    kind: ValueKind = "int"
    text: str = ""
    """Digits of an int, repr of a float, or short text."""
    detail: str = ""


def read_report(output: str, token: str) -> RunResult:
    """The sandbox's own last line: token, tag, value; printed text is the value where the tag is none.

    The token is drawn per run after the program text was fixed, so printed text cannot pass as it.
    """
    printed, found, report = output.rpartition(f"\n{token} ")
    if not found:
        return RunResult("error", detail="ended without a value")
    tag, _, value = report.rstrip("\n").partition(" ")
    if tag in ("int", "float"):
        return RunResult("value", "int" if tag == "int" else "float", value)
    if tag == "text":
        return RunResult("value", "text", value)
    if tag == "type":
        return RunResult("error", detail=f"value is {value}, not a number")
    lines = [line for line in printed.split("\n") if line.strip()]
    return RunResult("none", "text", lines[-1].strip()[:200] if lines else "")
