"""One helper process behind two pipes: length-prefixed requests and replies, killed when it is late."""

import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from .processor_time import PATIENCE, processor_seconds

_CHECK_MS = 20.0
MAX_REPLY = 8192
"""Bytes of a reply that are read; a longer one ends the worker."""
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class _Deadline:
    """When a reply is late: by wall-clock time, or by the processor time of process `pid`."""

    def __init__(self, seconds: float, pid: int | None = None) -> None:
        start = None if pid is None else processor_seconds(pid)
        self.pid = None if start is None else pid
        self.end = time.monotonic() + seconds * (1 if start is None else PATIENCE)
        self.processor_end = (start or 0.0) + seconds

    def wait_ms(self) -> float:
        """Milliseconds until the next check."""
        left = max(self.end - time.monotonic(), 0.0) * 1000
        return left if self.pid is None else min(left, _CHECK_MS)

    def check(self) -> None:
        """Raise `TimeoutError` for a late reply, `OSError` where a busy machine is to blame."""
        if self.pid is not None and (processor_seconds(self.pid) or 0.0) >= self.processor_end:
            raise TimeoutError("no reply in time")
        if time.monotonic() >= self.end:
            if self.pid is None:
                raise TimeoutError("no reply in time")
            raise OSError("machine too busy for a reply in time")


class WorkerProcess:
    """A Python module run as a process of its own session; one request at a time."""

    def __init__(self, module: str, *arguments: str, start_seconds: float = 60.0) -> None:
        self.command = [sys.executable, "-I", "-m", module, *arguments]
        self.start_seconds = start_seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.hello = ""
        self._lock = threading.Lock()

    def request(self, payload: bytes, seconds: float, processor_time: bool = False) -> bytes | None:
        """The reply, or None when there was none in time; the worker is then replaced at the next call.

        `processor_time`: the seconds are those of the worker's processor time, for workers that never
        wait; a busy machine then changes no reply. `PATIENCE` times that is the wall-clock limit.

        Raises `OSError` when the worker does not start, dies without a word, or got too little
        processor time.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(struct.pack("<I", len(payload)) + payload)
                process.stdin.flush()
                return self._read_frame(process, _Deadline(seconds, process.pid if processor_time else None))
            except TimeoutError:
                self._kill()
                return None
            except OSError:
                self._kill()
                raise

    def start(self) -> str:
        """Start the process if it is not running; its first message."""
        with self._lock:
            self._running()
            return self.hello

    def _running(self) -> subprocess.Popen[bytes]:
        """The live process; started, and its first message awaited, when there is none."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        self._kill()
        if not hasattr(select, "poll"):
            raise OSError("worker processes need Linux or macOS")
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        try:
            self.hello = self._read_frame(self.process, _Deadline(self.start_seconds)).decode()
        except OSError:
            self._kill()
            raise
        return self.process

    def _read_frame(self, process: subprocess.Popen[bytes], deadline: _Deadline) -> bytes:
        assert process.stdout is not None
        size = struct.unpack("<I", self._read(process.stdout.fileno(), 4, deadline))[0]
        if size > MAX_REPLY:
            raise OSError(f"reply of {size} bytes")
        return self._read(process.stdout.fileno(), size, deadline)

    @staticmethod
    def _read(stream: int, size: int, deadline: _Deadline) -> bytes:
        data = b""
        poller = select.poll()
        poller.register(stream, select.POLLIN)
        while len(data) < size:
            while not poller.poll(deadline.wait_ms()):
                deadline.check()
            piece = os.read(stream, size - len(data))
            if not piece:
                raise OSError("worker ended without a reply")
            data += piece
        return data

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        """SIGKILL to the whole session, then reap; our own child, so its id is not reused before that."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue
        self.process.wait()
        self.process = None


def take_streams() -> tuple[BinaryIO, int]:
    """The worker's side: keep both pipes under new numbers, put /dev/null where they were."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
    return requests, replies


def serve(streams: tuple[BinaryIO, int], handle: Callable[[bytes], bytes], hello: str) -> None:
    """Say hello, then answer requests until the pipe closes."""
    requests, replies = streams
    _write_frame(replies, hello.encode())
    while header := requests.read(4):
        payload = requests.read(struct.unpack("<I", header)[0])
        _write_frame(replies, handle(payload)[:MAX_REPLY])


def _write_frame(stream: int, payload: bytes) -> None:
    os.write(stream, struct.pack("<I", len(payload)) + payload)
