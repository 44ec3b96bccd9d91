"""What a tracker is: it takes the figures of one stage, step by step, and knows which steps it has.

The logs stay the truth. A tracker is asked for the last step that it holds, and gets the later ones. So a
stage that was killed and resumed gives each step once, and a finished log can be sent at any time.
"""

import importlib
import importlib.util
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, cast, runtime_checkable

from ..errors import UserError

TrackerName = Literal["tensorboard", "trackio", "wandb"]
"""Name of a tracker, of its extra and of its package."""


@dataclass(frozen=True)
class TrackedStage:
    """A stage as trackers show it: one run of a project."""

    project: str
    """Name of the study."""
    stage: str
    """Readable path: `rl/mix/nano-0.8m/grpo/seed0`."""
    artifact: str
    """KIND-FINGERPRINT: equal content has an equal name, other settings another one."""
    group: str
    """What its seeds have in common."""
    folder: Path
    """The study's folder."""
    config: Mapping[str, object] = field(default_factory=dict)
    """Settings to show beside the run."""

    @property
    def name(self) -> str:
        """The run's name: the stage, with eight digits of the fingerprint so that settings stay apart."""
        return f"{self.stage}-{self.artifact.rpartition('-')[2][:8]}"


@runtime_checkable
class Tracker(Protocol):
    """One run in a tracker, open for writing."""

    last_step: int | None
    """Newest step that the tracker holds; None where it holds none."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """All figures of one step; steps ascend."""
        ...

    def flush(self) -> None:
        """Make what was written visible to readers."""
        ...

    def close(self) -> None:
        """Flush and end; raises where something was lost."""
        ...


@runtime_checkable
class TrackerModule(Protocol):
    """The module of one tracker."""

    def open_run(self, stage: TrackedStage, remembered: int | None) -> Tracker:
        """Open a run, which exists or is begun.

        `remembered`: last step that an earlier sitting sent, for a tracker that cannot be asked.
        """
        ...


def open_tracker(name: TrackerName, stage: TrackedStage, remembered: int | None) -> Tracker:
    """Open one stage in one tracker; raises whatever its library raises."""
    module = cast(TrackerModule, importlib.import_module(f"{__package__}.{name}_run"))
    return module.open_run(stage, remembered)


def check_installed(names: Iterable[str], source: str) -> None:
    """`UserError` where the package of a tracker is missing. A folder of its name is no package."""
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise UserError(
                f"{source}: track has {name!r}, but the package {name} is not installed; "
                f"pip install 'echochamber[{name}]', or leave it out"
            )


def figures(row: Mapping[str, object]) -> dict[str, float]:
    """The finite numbers of a log's row by name; steps, texts and what was not estimable are left out."""
    return {
        name: float(value)
        for name, value in row.items()
        if name != "step"
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }
