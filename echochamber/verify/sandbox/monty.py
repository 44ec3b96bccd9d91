"""Tier 1: Monty, an interpreter for a subset of Python in worker processes of its own.

The library limits time, memory, depth and sleep. This module adds four guarantees:

- Every program gets a fresh session.
- Its value is reduced to one number or short text *inside* the sandbox, and printed behind a token drawn
  for this run. The value of the feed itself is never read: converting a nested value has no bound.
- Prints go to a bounded buffer.
- An import or a call that Monty does not have suspends the program. It is dropped and called unsupported.
"""

import builtins
import importlib.util
import secrets
import sys

import pydantic_monty
from pydantic_monty import (
    CollectString,
    FunctionSnapshot,
    FutureSnapshot,
    Monty,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    NameLookupSnapshot,
    ResourceLimits,
    SyncSnapshot,
)

from ...core.errors import UserError
from ..programs import Program, last_expression
from .processor_time import PATIENCE, ProcessorLimit, available
from .result import RunResult, SandboxLimits, read_report

_REPORT = """def _{t}(v,k=type,i=int,f=float,s=str,b=bool,l=list,u=tuple,r=repr,n=len,p=print):
    t=k(v)
    if t is i: p("\\n{t} int",v)
    elif t is f: p("\\n{t} float",r(v))
    elif v is None: p("\\n{t} none")
    elif t is s: p("\\n{t} text",v[:200].replace("\\n"," "))
    elif (t is l or t is u) and n(v)<=16:
        for x in v:
            if k(x) is not i and k(x) is not f: return p("\\n{t} type",r(t))
        p("\\n{t} text",r(v))
    elif r(t)=="<class 'decimal.Decimal'>": p("\\n{t} text",v)
    else: p("\\n{t} type",r(t)[:60])
"""
"""Runs before the program, so its default arguments hold the real builtins whatever follows."""
_POLICY: pydantic_monty.OSPolicy = {"sleep": "zero", "random_start": {"seed": 0}, "datetime": "call_host"}
# Monty looks for this optional package at every feed, and Python remembers only what it has found:
# a search of the whole path each time, a third of a short program's cost. None means "not there".
if importlib.util.find_spec("opentelemetry") is None:
    sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type]
_OUT_OF_SUBSET = ("does not yet support", "are not supported", "is not supported", "not yet implemented")


class MontyPool:
    """Warm Monty workers; `run` may be called from any thread."""

    def __init__(self, limits: SandboxLimits, workers: int, processor_time: bool = False) -> None:
        """Start the workers; `UserError` where the library's program `monty` is missing or cannot be run.

        `processor_time`: a program's `seconds` are processor time; the wall limit is `PATIENCE` times it.

        A wall-clock limit is cheaper, but a busy machine can use it up before the program has run.
        """
        self.limits, self.processor_time = limits, processor_time and available()
        seconds = limits.seconds * (PATIENCE if self.processor_time else 1)
        self._session_limits: ResourceLimits = {
            "max_feed_duration_secs": seconds,
            "max_memory": limits.memory_mb << 20,
            "max_recursion_depth": limits.recursion_depth,
            "max_suspensions": 20,
            "max_total_sleep_secs": 0.0,
        }
        try:
            self._pool = Monty(
                min_processes=workers,
                max_processes=workers,
                checkout_timeout=60.0,
                request_timeout=seconds + limits.grace_seconds,
                feed_duration_limit_grace=limits.grace_seconds / 2,
            )
            self._pool.__enter__()
        except (OSError, RuntimeError, MontyError) as error:
            raise UserError(
                f"the sandbox for programs does not start ({error}); `pip install --force-reinstall "
                "pydantic-monty` brings its program `monty`, or MONTY_BIN names it"
            ) from None

    def close(self) -> None:
        """End all workers."""
        self._pool.__exit__(None, None, None)

    def run(self, program: Program) -> RunResult:
        """Run one program in a session of its own; never raises for what the program does."""
        limit: ProcessorLimit | None = None
        try:
            with self._pool.checkout(limits=self._session_limits, os_policy=_POLICY) as session:
                if not self.processor_time or session.worker_pid is None:
                    return self._run_blocks(session, program)
                limit = ProcessorLimit(session.worker_pid, self.limits.seconds * len(program.blocks))
                with limit:
                    result = self._run_blocks(session, program)
        except MontyCrashedError as error:
            if limit is not None and limit.reached:
                return RunResult("timeout", detail="running time limit")
            if not error.timed_out:
                return RunResult("infrastructure", detail="sandbox worker died")
            result = RunResult("timeout", detail="killed at the wall-clock limit")
        except (MontyError, OSError, TimeoutError) as error:
            return RunResult("infrastructure", detail=f"sandbox: {type(error).__name__}")
        if result.status == "timeout" and limit is not None:
            # The program never got the processor time that it is entitled to, so nothing is known of it.
            return RunResult("infrastructure", detail="machine too busy to run the program")
        return result

    def _run_blocks(self, session: MontySession, program: Program) -> RunResult:
        """Earlier blocks share state with the last one; an error in them does not end the program."""
        for block in program.blocks[:-1]:
            _, failure = self._feed(session, block)
            if failure and failure.status != "error":
                return failure
        token = secrets.token_hex(12)
        output, failure = self._feed(session, wrap(program, token))
        return failure or read_report(output, token)

    def _feed(self, session: MontySession, code: str) -> tuple[str, RunResult | None]:
        """Printed text, and the failure if there was one."""
        printed = CollectString(self.limits.output_kb << 10)
        try:
            end = session.feed_start(code, print_callback=printed)
            while not isinstance(end, MontyComplete) and not _unsupported(end):
                end = _refuse(end)
        except MontySyntaxError as error:
            return "", RunResult("error", detail=f"SyntaxError: {_short(str(error))}")
        except MontyRuntimeError as error:
            return "", _failure(error)
        return printed.output, None if isinstance(end, MontyComplete) else _unsupported(end)


def wrap(program: Program, token: str) -> str:
    """Source of the last feed: the reporter, the block, and the value handed to the reporter."""
    reporter, code = _REPORT.format(t=token), program.blocks[-1]
    if program.entry:
        return f"{reporter}{code}\n\n_{token}({program.entry}())\n"
    split = last_expression(code)
    if split is None:
        return f"{reporter}{code}\n\n_{token}(None)\n"
    return f"{reporter}{split[0]}_{token}((\n{split[1]}\n))\n"


def _failure(error: MontyRuntimeError) -> RunResult:
    name, _, message = error.display("type-msg").partition(":")
    if name == "TimeoutError":
        return RunResult("timeout", detail="running time limit")
    if name in ("ModuleNotFoundError", "ImportError"):
        return RunResult("unsupported", detail=f"{name}:{_short(message)}")
    if name == "NotImplementedError" and any(mark in message for mark in _OUT_OF_SUBSET):
        return RunResult("unsupported", detail=_short(message.strip()))
    return RunResult("error", detail=f"{name}:{_short(message)}" if message else name)


def _unsupported(end: SyncSnapshot) -> RunResult | None:
    """A program that needs a module or builtin that full Python would have."""
    if not isinstance(end, FunctionSnapshot):
        return None
    name = str(end.function_name)
    if end.is_os_function:
        missing = "import of a module the interpreter does not have"
        return RunResult("unsupported", detail=missing) if name == "import" else None
    return RunResult("unsupported", detail=f"builtin {name}") if hasattr(builtins, name) else None


def _refuse(end: SyncSnapshot) -> SyncSnapshot:
    """Answer what a program asked of the host as Python without that name or right would."""
    if isinstance(end, NameLookupSnapshot):
        return end.resume()
    if isinstance(end, FunctionSnapshot):
        if end.is_os_function:
            return end.resume_not_handled()
        return end.resume({"exception": NameError(f"name '{_short(str(end.function_name))}' is not defined")})
    assert isinstance(end, FutureSnapshot)
    return end.resume({call: {"exception": RuntimeError("waits for ever")} for call in end.pending_call_ids})


def _short(text: str) -> str:
    return " ".join(text.split())[:120]
