"""trackio: a local SQLite file, or the Space or server that its own variables name (extra `[trackio]`).

The project is the study's name. `trackio show --project NAME` opens it.
"""

import contextvars
import importlib
from collections.abc import Mapping

from .interface import TrackedStage


def open_run(stage: TrackedStage, remembered: int | None) -> "TrackioRun":
    """The library knows the last step of a run that it resumes; `remembered` is not needed."""
    return TrackioRun(stage)


class TrackioRun:
    """One run of a project."""

    def __init__(self, stage: TrackedStage) -> None:
        library = importlib.import_module("trackio")
        # `init` ends the run that is current in its context. Several stages run at once, so each has its own.
        self._run = contextvars.copy_context().run(
            library.init,
            project=stage.project,
            name=stage.name,
            group=stage.group,
            config=dict(stage.config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        following: int = self._run._next_step
        self.last_step = following - 1 if following > 0 else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Queue one step."""
        self._run.log(dict(values), step=step)
        self.last_step = step

    def flush(self) -> None:
        """The library writes its queue twice a second by itself."""

    def close(self) -> None:
        """Write the queue; `RuntimeError` where the local file lacks the last step.

        The library warns of what it cannot write, and goes on.
        """
        self._run.finish()
        if not self._run._is_local or self._run._storage_mode == "jsonl":
            return
        storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
        kept = storage.get_max_step_for_run(self._run.project, self._run.name, run_id=self._run.id)
        if kept != self.last_step:
            raise RuntimeError(f"its file ends at step {kept}, not at {self.last_step}")
