"""Stages as SLURM jobs, through submitit; its own executor for one machine serves to try it out."""

import re
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ..core.errors import UserError
from ..core.files import make_folder
from ..model.runtime import visible_gpus
from .launch import LAUNCHED, Resources, resources_of
from .local_executor import check_this_machine
from .stage_executor import Ended
from .stage_graph import StageGraph, StageNode
from .stage_process import Place, run_task
from .stage_task import StageOutcome, StageTask

OF_THE_RECIPE = ("nodes", "ntasks_per_node", "cpus_per_task", "gpus_per_node", "num_gpus", "job_name")
"""Options of a job that follow from the recipe."""
OWN = (
    "additional_parameters",
    "array_parallelism",
    "map_count",
    "setup",
    "srun_args",
    "teardown",
    "use_srun",
)
"""Options of submitit that are no texts or that jobs of stages have no use for."""
CLUSTERS = ("slurm", "local")
"""Of submitit: `local` runs the jobs on this machine."""
QUEUED = 10_000
"""Jobs that may wait in SLURM's queue."""
POLL_SECONDS = 0.5
_LOCAL_MINUTES = 7 * 24 * 60
"""submitit ends jobs of this machine after minutes, unless told otherwise."""


@dataclass(eq=False)
class SlurmJob:
    """A stage in one job."""

    node: StageNode
    job: Any
    """Of submitit."""


class SlurmExecutor:
    """Jobs of a SLURM cluster, one for each stage.

    The study's folder must be on a disk that all nodes share, and this command must run where `sbatch`
    does. `options`: of submitit for SLURM (partition, time, account, qos, ...), and `cluster`.
    `workers`: jobs at once, where they run on this machine.
    """

    def __init__(self, graph: StageGraph, patience: float, options: Mapping[str, str], workers: int) -> None:
        self._graph, self._patience = graph, patience
        try:
            import submitit
        except ImportError:
            raise UserError("--executor slurm needs submitit; pip install 'echochamber[slurm]'") from None
        self._submitit = submitit
        self._cluster = options.get("cluster", "slurm")
        if self._cluster not in CLUSTERS:
            raise UserError(
                f"--slurm cluster={self._cluster} is not known; there are {' and '.join(CLUSTERS)}"
            )
        self._options = {f"slurm_{key}": _value(text) for key, text in options.items() if key != "cluster"}
        self._refuse_unknown()
        self._running: set[SlurmJob] = set()
        self.slots = workers if self._cluster == "local" else QUEUED

    def _refuse_unknown(self) -> None:
        known = set(self._submitit.SlurmExecutor._valid_parameters()) - {*OF_THE_RECIPE, *OWN}
        for key in (name.removeprefix("slurm_") for name in self._options):
            if key in OF_THE_RECIPE:
                raise UserError(f"--slurm {key}: follows from the recipe; set launch or runtime.threads")
            if key not in known:
                raise UserError(
                    f"--slurm {key}: submitit has no such option; it has {', '.join(sorted(known))}"
                )

    def __enter__(self) -> Self:
        try:
            self._queue()
        except RuntimeError:
            raise UserError(
                "--executor slurm finds no srun on this machine; run it where SLURM's commands are, "
                "or try it with --slurm cluster=local"
            ) from None
        return self

    def _queue(self) -> Any:
        """What takes one job: one for each, since it keeps what earlier jobs asked for."""
        folder = make_folder(self._graph.store.root.resolve().parent / "logs" / "slurm")
        return self._submitit.AutoExecutor(folder, cluster=self._cluster)

    def __exit__(self, *_: object) -> None:
        """Jobs that still run when the study is stopped are cancelled."""
        for job in self._running:
            job.job.cancel(check=False)

    def check(self, node: StageNode) -> None:
        """`UserError` where a stage asks for more than this machine has; what a cluster has, SLURM knows."""
        if self._cluster == "local":
            check_this_machine(node, self._graph, len(visible_gpus()), "--slurm cluster=local")

    def has_room(self, node: StageNode) -> bool:
        """SLURM queues a job until there is room for it."""
        return True

    def submit(self, node: StageNode) -> SlurmJob:
        """Hand one job to the queue."""
        task, asked = StageTask.of(node, self._graph, self._patience), self._asked(node)
        queue = self._queue()
        queue.update_parameters(
            name=re.sub(r"[^\w.@-]+", "-", node.id),
            nodes=asked.nodes,
            tasks_per_node=1,
            cpus_per_task=self._graph.recipe.runtime.threads * asked.ranks,
            gpus_per_node=asked.gpus or None,
            # A node that is lost ends the job; ranks of the others might wait for it.
            slurm_srun_args=["--kill-on-bad-exit=1"],
            **({"timeout_min": _LOCAL_MINUTES} if self._cluster == "local" else {}),
            **self._options,
        )
        try:
            job = SlurmJob(node, queue.submit(run_in_job, task))
        except self._submitit.core.utils.FailedJobError as error:
            raise UserError(f"{node.id}: sbatch refused the job: {_last_line(error)}") from None
        self._running.add(job)
        return job

    def wait(self, handles: Iterable[SlurmJob]) -> list[Ended[SlurmJob]]:
        """Jobs that have ended."""
        jobs = list(handles)
        while not (done := [job for job in jobs if job.job.done()]):
            time.sleep(POLL_SECONDS)
        self._running -= set(done)
        return [Ended(job, self._outcome(job.job)) for job in done]

    def _outcome(self, job: Any) -> StageOutcome:
        """What the first node's task returned; a job that was killed or pre-empted returns nothing."""
        utils = self._submitit.core.utils
        try:
            first: StageOutcome = job.results()[0]
            return first
        except (utils.UncompletedJobError, utils.FailedJobError):
            log = Path(job.paths.stderr)
            return StageOutcome(None, f"job {job.job_id} ended early ({job.state}); see {log}", lost=True)

    def _asked(self, node: StageNode) -> Resources:
        """What the recipe says; without a word, stages that train or sample on CUDA get one GPU."""
        asked = resources_of(node, self._graph.recipe)
        if asked.gpus is None and node.kind in LAUNCHED and self._graph.recipe.runtime.device == "cuda":
            return Resources(1, asked.nodes, asked.ranks)
        return asked


def run_in_job(task: StageTask) -> StageOutcome:
    """Run a stage on this node of a job, in a process of its own."""
    import submitit

    environment = submitit.JobEnvironment()
    # In place of submitit's own answer to pre-emption, which starts the job anew without end.
    signal.signal(environment._usr_sig(), _leave)
    port = 20_000 + int(re.sub(r"\D", "", environment.raw_job_id) or 0) % 20_000
    place = Place(environment.node, f"{environment.hostnames[0]}:{port}")
    outcome = run_task(task, None, place, alone=True)
    if outcome.lost:
        raise RuntimeError(outcome.error)
    return outcome


def _leave(number: int, _: FrameType | None) -> None:
    raise InterruptedError(f"signal {number}: the job is pre-empted or its time is over")


def _value(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def _last_line(error: Exception) -> str:
    return ([line for line in str(error).splitlines() if line.strip()] or ["no reason given"])[-1].strip()
