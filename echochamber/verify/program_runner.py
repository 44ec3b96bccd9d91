"""Programs to results: each distinct program once on warm workers, a second try alone, then tier 2."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .programs import Program
from .sandbox.locked import LockedPool
from .sandbox.result import RunResult, SandboxLimits

if TYPE_CHECKING:
    from .sandbox.monty import MontyPool


@dataclass
class _Owned:
    """What one process owns; a forked child starts its own."""

    pid: int
    monty: "MontyPool"
    threads: ThreadPoolExecutor
    locked: LockedPool | None
    alone: "MontyPool | None" = None
    """One worker for second tries; started with the first of them."""


class ProgramRunner:
    """Runs programs in parallel over worker processes; safe from any thread, lazily started."""

    def __init__(self, limits: SandboxLimits, workers: int, tier2: bool) -> None:
        self.limits, self.workers, self.tier2 = limits, workers, tier2
        self._owned: _Owned | None = None
        self.recent: dict[Program, RunResult] = {}
        """Results of the last batch that a second run would repeat, for another grader of the same texts."""

    def run_all(self, programs: list[Program]) -> dict[Program, RunResult]:
        """Each program once."""
        return self.start(programs)()

    def start(self, programs: list[Program]) -> Callable[[], dict[Program, RunResult]]:
        """Begin to run each program once; the returned function waits for the results.

        What timed out or failed on our side is tried once more, alone, under a limit on processor time.
        """
        self.recent = {}
        if not programs:
            return dict
        own = self._own()
        chunk = max(1, min(16, len(programs) // (4 * self.workers)))
        parts = [programs[start : start + chunk] for start in range(0, len(programs), chunk)]
        done = own.threads.map(lambda part: [_run_once(own, program) for program in part], parts)

        def wait() -> dict[Program, RunResult]:
            results = {
                program: result
                for part, found in zip(parts, done, strict=True)
                for program, result in zip(part, found, strict=True)
            }
            for program, result in results.items():
                if result.status in ("timeout", "infrastructure"):
                    results[program] = self._run_alone(own, program, result)
            self.recent = {
                program: result for program, result in results.items() if result.status in ("value", "error")
            }
            return results

        return wait

    def _run_alone(self, own: _Owned, program: Program, first: RunResult) -> RunResult:
        """The second try. A program that exceeds its limit again keeps its first result."""
        if own.alone is None:
            from .sandbox.monty import MontyPool

            own.alone = MontyPool(self.limits, 1, processor_time=True)
        second = _run_once(own, program, own.alone)
        return first if second.status == first.status == "timeout" else second

    def _own(self) -> _Owned:
        if self._owned is None or self._owned.pid != os.getpid():
            from .sandbox.monty import MontyPool  # with the first program: texts alone need none of it

            monty = MontyPool(self.limits, self.workers)
            threads = ThreadPoolExecutor(self.workers, thread_name_prefix="grade")
            locked = LockedPool(self.limits, max(1, self.workers // 2)) if self.tier2 else None
            self._owned = _Owned(os.getpid(), monty, threads, locked)
        return self._owned

    def close(self) -> None:
        """End workers and threads; the next program starts new ones."""
        own, self._owned = self._owned, None
        if own is None or own.pid != os.getpid():
            return
        own.threads.shutdown()
        for pool in (own.monty, own.alone, own.locked):
            if pool is not None:
                pool.close()


def _run_once(own: _Owned, program: Program, pool: "MontyPool | None" = None) -> RunResult:
    """Tier 1 by `pool` (default: the shared one), and tier 2 for what tier 1 does not support."""
    try:
        result = (pool or own.monty).run(program)
        return own.locked.run(program) if result.status == "unsupported" and own.locked else result
    except Exception as error:  # noqa: BLE001  (the grader's edge: one program must not end a batch)
        return RunResult("infrastructure", detail=f"sandbox: {type(error).__name__}: {error}"[:160])
