"""When a running stage saves its state: by wall time, so that saving costs little at any size."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .files import make_folder
from .progress import say
from .resume_record import RESUME_DIR, ResumeRecord, saved_state, sharded_name, state_name

EVERY_SECONDS = 20.0
"""Between two saves, unless a recipe says otherwise; small models are saved in no time."""


class ResumePoint:
    """The resume folder of a partial artifact and the clock that says when to use it.

    When state is saved depends on the machine's speed; what is computed never does.
    """

    def __init__(self, artifact: Path, every_seconds: float = EVERY_SECONDS) -> None:
        self.artifact = artifact
        self.folder = make_folder(artifact / RESUME_DIR)
        self._record = ResumeRecord(artifact)
        self.every_seconds = every_seconds
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
        return self.interrupted or time.monotonic() - self.saved_at >= self.every_seconds

    def record(self, step: int, sharded: bool = False) -> None:
        """Make the state that was written after `step` the one to continue from; older ones are removed."""
        self._record.write(step, sharded)

    def saved(self) -> None:
        """Start the clock again; leaves by KeyboardInterrupt where someone asked to stop."""
        self.saved_at = time.monotonic()
        if self.interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def finish_step_on_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C lets the step end and its state be saved; a second one stops at once."""
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
