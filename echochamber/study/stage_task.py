"""A stage as plain data that another process can be given, and how it ended there.

A stage with processes of its own reads its task from a file and writes its outcome into one. Both lie in
`artifacts/.partial/NAME.launch`, on a disk that all its nodes share.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.artifacts import Store
from ..core.bug_report import report_bug
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_text
from ..core.storage import StorageError
from .launch import Resources, resources_of
from .stage_graph import StageGraph, StageNode

LAUNCH_FILES = ".launch"
"""Ends the name of a folder with a stage's task and outcomes."""


@dataclass(frozen=True)
class StageOutcome:
    """How a stage ended; without an error it is done."""

    seconds: float | None = None
    """Wall time over all sittings."""
    error: str | None = None
    bad_input: bool = False
    """It failed by what it was given."""
    storage: bool = False
    """It could not be written; the stages after it could not either."""
    bug: bool = False
    """It met an exception that nobody had foreseen; its traceback is saved."""
    lost: bool = False
    """Its process or machine ended before it did."""

    @property
    def worth_retrying(self) -> bool:
        """Whether another attempt may end differently; bad input stays bad."""
        return self.bug or self.lost


@dataclass(frozen=True)
class StageTask:
    """One stage to be built in another process."""

    recipe: dict[str, object]
    """The resolved recipe."""
    root: Path
    """Folder of the artifacts."""
    node_id: str
    name: str
    """Of the artifact."""
    resources: Resources
    patience: float = 0.0
    """Seconds to wait for another process that builds the artifact."""
    threads: int = 1
    """Of each process."""

    @classmethod
    def of(
        cls, node: StageNode, graph: StageGraph, patience: float, resources: Resources | None = None
    ) -> "StageTask":
        """A stage of a graph; `resources` replaces what the recipe asks for."""
        recipe, root = graph.recipe, graph.store.root.resolve()
        asked = resources or resources_of(node, recipe)
        return cls(recipe.resolved(), root, node.id, node.spec.name, asked, patience, recipe.runtime.threads)

    @property
    def files(self) -> "TaskFiles":
        """Where the task and its outcomes are written."""
        return TaskFiles(Store(self.root).partial_root / f"{self.name}{LAUNCH_FILES}")

    def log(self, node: int) -> Path:
        """What the stage's processes on a node print."""
        return make_folder(self.root.parent / "logs") / f"{self.name}{f'.node{node}' if node else ''}.log"


@dataclass(frozen=True)
class TaskFiles:
    """Files by which a stage's processes are told what to do, and tell how it went."""

    folder: Path

    def write_task(self, task: StageTask, node: int) -> Path:
        """The task, for the processes of one node; that of the first also forgets earlier outcomes."""
        make_folder(self.folder)
        if node == 0:
            for left in self.folder.glob("outcome-*.json"):
                left.unlink(missing_ok=True)
        path = self.folder / f"task-{node}.json"
        write_text(path, json.dumps(asdict(task) | {"root": str(task.root)}), durable=False)
        return path

    @staticmethod
    def read_task(path: Path) -> StageTask:
        """The task that was written."""
        data = read_json(path)
        assert isinstance(data, dict), f"{path}: no task"
        return StageTask(**data | {"root": Path(data["root"]), "resources": Resources(**data["resources"])})

    def write_outcome(self, outcome: StageOutcome, rank: int) -> None:
        """How the stage went on one rank."""
        with suppress(OSError, UserError):  # a full disk; then the stage counts as lost
            write_text(self.folder / f"outcome-{rank}.json", json.dumps(asdict(outcome)), durable=False)

    def outcome(self) -> StageOutcome | None:
        """How it went; None where no rank could say.

        One rank's bad input may end the others in errors of another kind, so it counts first.
        """
        paths = sorted(self.folder.glob("outcome-*.json"), key=lambda path: (len(path.name), path.name))
        found = [StageOutcome(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]
        done = [one for one in found if one.error is None]  # which rank 0 alone says
        return next(iter(done + sorted(found, key=lambda one: not one.bad_input)), None)

    def remove(self) -> None:
        """Nothing is needed of them once the stage is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def outcome_of(work: Callable[[], float | None], folder: Path) -> StageOutcome:
    """Do some work and say how it ended. An unforeseen exception leaves its traceback in `folder`."""
    try:
        return StageOutcome(work())
    except UserError as error:
        return StageOutcome(None, str(error), bad_input=True, storage=isinstance(error, StorageError))
    except Exception as error:  # noqa: BLE001 - the outer edge of a worker process
        return StageOutcome(None, report_bug(error, folder), bug=True)
