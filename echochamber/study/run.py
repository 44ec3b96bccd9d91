"""A whole study: every missing stage, then its report and summary."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.hash_cache import forget_hashes
from .execute import open_study, run_study
from .executors import HELD_SECONDS, ExecutorName
from .recipe import Recipe, study_folder
from .results import finish_study, is_finished
from .verify import say_state, verify_all


@dataclass(frozen=True)
class StudyRun:
    """What a run of a study came to."""

    folder: Path
    num_stages: int
    num_missing: int
    """Stages that were not done when the run started."""
    was_finished: bool
    """Nothing was missing, and report and summary were up to date."""
    failed: list[str]
    """Stages that failed: `ID: message`."""
    num_left: int
    """Stages that were not started, because they rest on those."""
    exit_status: int
    """0 where no stage failed, 2 where bad input stopped all that did, else 1."""
    summary: dict[str, object]

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def run_recipe(
    recipe: Recipe,
    out: Path | None = None,
    workers: int = 1,
    executor: ExecutorName = "local",
    command: str = "",
    verify: bool = False,
    patience: float = HELD_SECONDS,
    slurm: Mapping[str, str] | None = None,
) -> StudyRun | None:
    """Run what is missing of a study and write its report; None on all ranks but the first.

    `verify`: compare every file of every finished stage with its checksum first, and read input files anew.
    `patience`: longest wait in seconds for a stage that another run of this study is building.
    `slurm`: options of SLURM jobs (`SlurmExecutor`).
    """
    folder = study_folder(recipe, out)
    if verify:
        forget_hashes(folder / "artifacts")
    graph, status = open_study(recipe, folder, command)
    say_state(status)
    if verify:
        verify_all(status, patience)
    missing = sum(node.status != "done" for node in status.nodes.values())
    failures = run_study(graph, status, workers=workers, executor=executor, patience=patience, slurm=slurm)
    if failures is None:
        return None
    was_finished = not missing and is_finished(folder)
    summary = finish_study(folder, rebuild=missing > 0)
    failed = [f"{name}: {node.error}" for name, node in status.nodes.items() if node.status == "failed"]
    left = sum(node.status == "pending" for node in status.nodes.values())
    return StudyRun(
        folder, len(status.nodes), missing, was_finished, failed, left, status.exit_status, summary
    )
