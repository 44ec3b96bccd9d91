"""TensorBoard: event files under `STUDY/tensorboard/RUN` (extra `[tensorboard]`). Needs no TensorFlow."""

import importlib
import re
import time
from collections.abc import Mapping
from pathlib import Path

from .interface import TrackedStage

FOLDER = "tensorboard"
_PATTERN = "events.out.tfevents.*"


def open_run(stage: TrackedStage, remembered: int | None) -> "TensorBoardRun":
    """Event files are read to find the last step; `remembered` is not needed."""
    return TensorBoardRun(stage.folder / FOLDER / _relative(stage.name))


class TensorBoardRun:
    """One folder of event files; all figures of a step are one event, so a step is there or is not."""

    def __init__(self, folder: Path) -> None:
        writer = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        self._events = importlib.import_module("tensorboard.compat.proto.event_pb2")
        self._summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        self.last_step = _last_step(folder)
        self._writer = writer.EventFileWriter(str(folder))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One event with a simple value per figure."""
        found = [
            self._summaries.Summary.Value(tag=name, simple_value=value) for name, value in values.items()
        ]
        summary = self._summaries.Summary(value=found)
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
        self.last_step = step

    def flush(self) -> None:
        """Write the queue to disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write the queue and close the file."""
        self._writer.close()


def _relative(name: str) -> Path:
    """The run's name as a path of plain parts: arms and mixtures may be named anything."""
    parts = [re.sub(r"[^\w.@+-]", "_", part) for part in name.split("/")]
    return Path(*[part if part.strip(".") else "_" for part in parts])


def _last_step(folder: Path) -> int | None:
    """Newest step with figures in the event files; an event that a kill cut does not count."""
    loader = importlib.import_module("tensorboard.backend.event_processing.event_file_loader")
    steps = [
        int(event.step)
        for path in sorted(folder.glob(_PATTERN))
        for event in loader.EventFileLoader(str(path)).Load()
        if event.HasField("summary")
    ]
    return max(steps, default=None)
