"""When a running stage saves its state: by wall time, so that saving costs little at any size."""

import time
from pathlib import Path

from .artifacts import RESUME_DIR, make_folder


class ResumePoint:
    """The resume folder of a partial artifact and the clock that says when to use it.

    When state is saved depends on the machine's speed; what is computed never does.
    """

    def __init__(self, artifact: Path, every_seconds: float = 20.0) -> None:
        self.folder = make_folder(artifact / RESUME_DIR)
        self.every_seconds = every_seconds
        self.saved_at = time.monotonic()

    @property
    def state_path(self) -> Path:
        """The one file that holds the newest complete state."""
        return self.folder / "state.pt"

    def due(self) -> bool:
        """True once `every_seconds` have passed since the last save."""
        return time.monotonic() - self.saved_at >= self.every_seconds

    def saved(self) -> None:
        """Start the clock again."""
        self.saved_at = time.monotonic()
