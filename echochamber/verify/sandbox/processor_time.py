"""Limits by processor time: a busy machine delays a process and leaves its processor time unchanged."""

import os
import signal
import threading
from functools import lru_cache
from pathlib import Path
from types import TracebackType

PATIENCE = 20
"""Wall-clock seconds per second of processor time before a process is given up."""
_CHECK_SECONDS = 0.01


def processor_seconds(pid: int) -> float | None:
    """User and system time of a live process, its threads included; None where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # Fields 14 and 15 of proc(5); the text after the name starts with field 3.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@lru_cache(maxsize=1)
def available() -> bool:
    """True where this system can limit processor time: it has /proc and process descriptors."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return processor_seconds(os.getpid()) is not None


class ProcessorLimit:
    """Kills one child process once it has used `seconds` of processor time inside the `with` block.

    Needs `available()`. A process that has already ended is left alone.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self.pid, self.seconds = pid, seconds
        self.reached = False
        """The process was killed at the limit."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="processor-limit", daemon=True)

    def __enter__(self) -> "ProcessorLimit":
        # A descriptor, because the id may mean another process once this one has ended.
        self._descriptor = os.pidfd_open(self.pid)
        self._last = (processor_seconds(self.pid) or 0.0) + self.seconds
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(_CHECK_SECONDS):
            used = processor_seconds(self.pid)
            if used is None:
                return
            if used >= self._last:
                self.reached = True
                try:
                    signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
                except OSError:
                    self.reached = False
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._descriptor)
