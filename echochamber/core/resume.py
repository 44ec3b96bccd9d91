"""When a running stage saves its state: by wall time, so that saving costs little at any size."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from .files import make_folder
from .progress import say
from .resume_record import RESUME_DIR, ResumeRecord, saved_state, sharded_name, state_name

EVERY_SECONDS = 20.0
"""Between two saves, unless a recipe says otherwise; small models are saved in no time."""


@dataclass(frozen=True)
class ResumeSettings:
    """How a training stage keeps its state; no result depends on it."""

    every_seconds: float = EVERY_SECONDS
    """Between two saves."""
    keep_last: int = 1
    """States that are kept: an older one counts where the newest is damaged."""
    asynchronous: bool = False
    """Copy the state and write it while training goes on."""


class ResumePoint:
    """The resume folder of a partial artifact and the clock that says when to use it.

    When state is saved depends on the machine's speed; what is computed never does.
    """

    def __init__(self, artifact: Path, settings: ResumeSettings | None = None) -> None:
        self.artifact, self.settings = artifact, settings or ResumeSettings()
        self.folder = make_folder(artifact / RESUME_DIR)
        self._record = ResumeRecord(artifact)
        self._writer: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None
        self.saved_at = time.monotonic()
        self.interrupted = False

    @property
    def state(self) -> Path | None:
        """File or folder of the newest complete state; None where nothing was saved."""
        return saved_state(self.artifact)

    def state_after(self, step: int) -> Path:
        """Where the state after `step` is to be written, before `record`."""
        return self.folder / state_name(step)

    def sharded_after(self, step: int) -> Path:
        """The folder to which every rank is to write its part of the state after `step`, before `record`."""
        return self.folder / sharded_name(step)

    def due(self) -> bool:
        """True once `every_seconds` have passed since the last save, or someone asked to stop."""
        return self.interrupted or time.monotonic() - self.saved_at >= self.settings.every_seconds

    def record(self, step: int, sharded: bool = False) -> None:
        """Make the state that was written after `step` the one to continue from; older ones are removed."""
        self._record.write(step, sharded, self.settings.keep_last)

    def record_later(
        self, step: int, write: Callable[[], object], *, sharded: bool = False, main: bool = True
    ) -> None:
        """The same in a thread, once `write` has written the state there; one save runs at a time.

        Logs may grow meanwhile: their beginnings as they are now belong to the state. `main`: this rank keeps
        the record.
        """
        self.settle()
        sizes = self._record.sizes() if main else None

        def finish() -> None:
            write()
            if sizes is not None:
                self._record.write(step, sharded, self.settings.keep_last, sizes)

        self._writer = self._writer or ThreadPoolExecutor(1, "resume state")
        self._pending = self._writer.submit(finish)

    def settle(self) -> None:
        """Wait until a state that is being written is whole; raises what its writer raised."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def saved(self) -> None:
        """Start the clock again; leaves by KeyboardInterrupt where someone asked to stop."""
        self.saved_at = time.monotonic()
        if self.interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def finish_step_on_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C lets the step end and its state be saved; a second one stops at once.

        A state that is being written then is whole when this ends.
        """
        try:
            with self._asked_on_interrupt():
                yield
        except BaseException:
            with suppress(Exception):  # what went wrong first is told
                self.settle()
            raise
        self.settle()

    @contextmanager
    def _asked_on_interrupt(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def ask(_: int, __: FrameType | None) -> None:
            self.interrupted = True
            say("stopping after this step; once more to stop at once")
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
