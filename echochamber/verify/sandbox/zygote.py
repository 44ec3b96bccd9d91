"""Tier 2, the worker's side: a locked-down Python that forks once per program.

Order: import the libraries, leave the network, drop root, limits, Landlock; then for each request
fork a child that adds seccomp, closes every pipe but its own and runs the program. The zygote
itself never runs program text. A child reports a type tag and digits or short text, nothing else.
"""

import contextlib
import os
import select
import signal
import sys
import time
from typing import NoReturn

from . import lockdown
from .locked_child import run_program
from .worker import serve, take_streams


def main() -> None:
    """Lock down and serve; arguments: seconds per program, memory in MB, characters of output."""
    seconds, memory_mb, output = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    import sympy  # noqa: F401  (warm in every child, read before the file system is closed)

    streams = take_streams()
    layers = _lock(memory_mb)
    serve(streams, lambda payload: _run_in_child(payload, seconds, output), " ".join(layers))


def _lock(memory_mb: int) -> list[str]:
    """Layers that are on; the parent refuses to go on without the required ones."""
    done = ["namespaces"] if lockdown.leave_network() else []
    lockdown.set_limits(7 * 24 * 3600, memory_mb)
    readable = lockdown.library_folders()
    done += ["no_new_privs"] if lockdown.forbid_new_privileges() and lockdown.drop_root(readable) else []
    done += ["landlock"] if lockdown.restrict_files(readable) else []
    return [*done, "limits", "seccomp"] if _child_can_filter() else [*done, "limits"]


def _child_can_filter() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if lockdown.restrict_calls() else 1)
    return os.waitpid(child, 0)[1] == 0


def _run_in_child(payload: bytes, seconds: float, output: int) -> bytes:
    """Fork, wait for one short report, kill at the limit, reap."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _child(payload, writer, int(seconds) + 1, output)
    os.close(writer)
    report = _await(reader, time.monotonic() + seconds)
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if report is None:
        return b"timeout"
    return report or f"died {code}".encode()


def _await(reader: int, deadline: float) -> bytes | None:
    """What the child wrote until it closed its end, at most 4 kB; None at the deadline."""
    data = b""
    while len(data) < 4096:
        poller = select.poll()
        poller.register(reader, select.POLLIN)
        if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
            return None
        piece = os.read(reader, 4096 - len(data))
        if not piece:
            break
        data += piece
    return data


def _child(payload: bytes, writer: int, cpu_seconds: int, output: int) -> NoReturn:
    """Close every descriptor but the report's, add the last layers, run, report, end."""
    os.closerange(3, writer)
    os.closerange(writer + 1, 1024)
    lockdown.set_cpu_limit(cpu_seconds)
    lockdown.forbid_processes()
    if lockdown.restrict_calls():
        os.write(writer, run_program(payload, output))
    os._exit(0)


if __name__ == "__main__":
    main()
