"""Tier 2, the caller's side: full Python with sympy in a locked-down process, or not at all.

Fails closed: where one of the required layers is missing, every program is `unsupported`.
"""

import math
from queue import SimpleQueue

from ..programs import Program
from .lockdown import REQUIRED, supported
from .locked_child import encode_program
from .result import RunResult, SandboxLimits
from .worker import WorkerProcess

_MODULE = "echochamber.verify.sandbox.zygote"


class LockedPool:
    """A few zygotes; `run` may be called from any thread. Nothing starts before the first program."""

    def __init__(self, limits: SandboxLimits, workers: int = 1) -> None:
        self.limits = limits
        arguments = (str(limits.locked_seconds), str(limits.locked_memory_mb), str(limits.output_kb << 10))
        self._all = [WorkerProcess(_MODULE, *arguments) for _ in range(workers)]
        self._free: SimpleQueue[WorkerProcess] = SimpleQueue()
        for worker in self._all:
            self._free.put(worker)

    def run(self, program: Program) -> RunResult:
        """Run one program in a fork of its own; never raises for what the program does."""
        if not supported():
            return RunResult("unsupported", detail="second tier needs Linux on x86-64")
        worker = self._free.get()
        try:
            missing = self.missing_layers(worker)
            if missing:
                return RunResult(
                    "unsupported", detail=f"second tier cannot be locked down: no {', '.join(missing)}"
                )
            reply = worker.request(
                encode_program(program.entry, program.blocks),
                self.limits.locked_seconds + self.limits.grace_seconds,
            )
        except OSError as error:
            return RunResult("infrastructure", detail=f"second tier: {error}"[:120])
        finally:
            self._free.put(worker)
        return (
            RunResult("timeout", detail="killed at the wall-clock limit")
            if reply is None
            else read_reply(reply)
        )

    @staticmethod
    def missing_layers(worker: WorkerProcess) -> list[str]:
        """Required layers that the zygote does not report, after it has started."""
        layers = worker.start().split()
        return [name for name in REQUIRED if name not in layers]

    def close(self) -> None:
        """End all zygotes."""
        for worker in self._all:
            worker.close()


def read_reply(reply: bytes) -> RunResult:
    """A child's report as a result; the child is not trusted, so every form is checked."""
    tag, _, text = reply.decode("utf-8", "replace").partition(" ")
    text = text[:400].strip()
    if tag == "int" and text.lstrip("-").isdigit() and text.isascii():
        return RunResult("value", "int", text)
    if tag == "float" and _is_float(text):
        return RunResult("value", "float", text)
    if tag == "text":
        return RunResult("value", "text", text)
    if tag == "none":
        return RunResult("none", "text", text)
    if tag == "timeout":
        return RunResult("timeout", detail="running time limit")
    if tag == "type":
        return RunResult("error", detail=f"value is {text[:60]}, not a number")
    if tag == "error":
        return RunResult("error", detail=text[:160])
    return RunResult("error", detail="ended by the sandbox" if tag == "died" else "malformed report")


def _is_float(text: str) -> bool:
    try:
        return math.isfinite(float(text)) or text in ("nan", "inf", "-inf")
    except ValueError:
        return False
