"""Weights & Biases: online, or offline with `WANDB_MODE=offline` under `STUDY/wandb` (extra `[wandb]`).

The run's id is the artifact's name, so a resumed stage goes on in the same run. Key and server are found by
the library itself; nothing here reads or stores them.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path

from .interface import TrackedStage
from .wandb_log import last_step_of

START_SECONDS = 30.0
"""Longest wait for the server at a run's start."""


def open_run(stage: TrackedStage, remembered: int | None) -> "WandbRun":
    """Open a run by its id; offline the library resumes nothing, so its files are read."""
    return WandbRun(stage, remembered)


class WandbRun:
    """One run of a project."""

    def __init__(self, stage: TrackedStage, remembered: int | None) -> None:
        library = importlib.import_module("wandb")
        settings = library.Settings(
            console="off",
            silent=True,
            show_errors=False,
            show_warnings=False,
            init_timeout=START_SECONDS,
            x_disable_stats=True,
            x_disable_meta=True,  # host, user and command line are nobody else's business
            disable_git=True,
            disable_code=True,
        )
        self._run = library.init(
            project=stage.project,
            name=stage.name,
            id=stage.artifact,
            group=stage.group,
            dir=str(stage.folder),
            config=dict(stage.config),
            resume="allow",
            reinit="create_new",
            settings=settings,
        )
        self.last_step = self._last_step(stage, remembered)

    def _last_step(self, stage: TrackedStage, remembered: int | None) -> int | None:
        if not self._run.settings._offline:
            started: int = self._run.starting_step
            return started - 1 if started > 0 else None
        files = sorted((stage.folder / "wandb").glob(f"offline-run-*-{stage.artifact}/*.wandb"))
        own = Path(self._run.settings.sync_file)
        earlier = [path for path in files if path.resolve() != own.resolve()]
        # `wandb sync --clean` removes what it has sent; what was sent before is remembered.
        found = last_step_of(earlier)
        return remembered if found is None else found

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One step, committed at once: the library keeps an open step until the next one."""
        self._run.log(dict(values), step=step, commit=True)
        self.last_step = step

    def flush(self) -> None:
        """The library's own process writes and sends without being asked."""

    def close(self) -> None:
        """Send what is left, and end."""
        self._run.finish()
