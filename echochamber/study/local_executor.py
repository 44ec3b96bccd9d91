"""Stages in processes of this machine, each with GPUs of its own where it asks for some."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Self

from ..core.bug_report import report_bug
from ..core.errors import UserError
from ..core.progress import be_quiet, is_quiet
from ..model.runtime import visible_gpus
from .launch import key_of, resources_of
from .stage_executor import Ended
from .stage_graph import StageGraph, StageNode
from .stage_process import THREAD_SETTINGS, run_task
from .stage_task import StageOutcome, StageTask


@dataclass(eq=False)
class LocalJob:
    """A stage in a worker process, with its GPUs."""

    node: StageNode
    devices: list[str] | None
    future: Future[StageOutcome]


class LocalExecutor:
    """A pool of processes.

    When one of them is killed (by the kernel where memory is short, say) all stages that were running
    are lost, for the pool ends with it; a new one is opened.
    """

    def __init__(self, graph: StageGraph, workers: int, patience: float) -> None:
        self.slots, self._patience, self._graph = workers, patience, graph
        self._free = visible_gpus()
        self._gpus = len(self._free)

    def __enter__(self) -> Self:
        # Read by libraries when they are loaded, in each process before anything of ours runs.
        self._before = {name: os.environ.get(name) for name in THREAD_SETTINGS}
        threads = str(self._graph.recipe.runtime.threads)
        os.environ.update({name: value or threads for name, value in self._before.items()})
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            self.slots, mp_context=context, initializer=_start_worker, initargs=(os.getpid(), is_quiet())
        )

    def check(self, node: StageNode) -> None:
        """`UserError` where a stage asks for several machines, or for more GPUs than this one has."""
        check_this_machine(node, self._graph, self._gpus, "--executor local")

    def has_room(self, node: StageNode) -> bool:
        """Whether enough GPUs are free."""
        return (resources_of(node, self._graph.recipe).gpus or 0) <= len(self._free)

    def submit(self, node: StageNode) -> LocalJob:
        """A task of the process pool."""
        task = StageTask.of(node, self._graph, self._patience)
        number = task.resources.gpus
        devices = None if number is None else [self._free.pop(0) for _ in range(number)]
        return LocalJob(node, devices, self._pool.submit(run_task, task, devices))

    def wait(self, handles: Iterable[LocalJob]) -> list[Ended[LocalJob]]:
        """Stages that have ended; where a process was killed, all that were running, in a new pool."""
        jobs = list(handles)
        wait([job.future for job in jobs], return_when=FIRST_COMPLETED)
        if any(job.future.done() and _was_killed(job) for job in jobs):
            self._pool.shutdown()
            self._open()
        return [self._end(job) for job in jobs if job.future.done()]

    def _end(self, job: LocalJob) -> Ended[LocalJob]:
        self._free += job.devices or []
        error = job.future.exception()
        if error is None:
            return Ended(job, job.future.result())
        if _was_killed(job):
            return Ended(job, StageOutcome(None, "a process was killed", lost=True))
        if not isinstance(error, Exception):
            raise error
        return Ended(job, StageOutcome(None, report_bug(error, self._graph.store.partial_root), bug=True))


def check_this_machine(node: StageNode, graph: StageGraph, gpus: int, where: str) -> None:
    """`UserError` where a stage asks for more than one machine with so many GPUs."""
    asked = resources_of(node, graph.recipe)
    if asked.nodes > 1:
        raise UserError(
            f"{key_of(node, 'nodes')} is {asked.nodes}, but {where} is this machine alone; "
            "use --executor ray or slurm, or 1"
        )
    if (asked.gpus or 0) > gpus:
        raise UserError(
            f"{key_of(node, 'gpus')} is {asked.gpus}, but this machine has {gpus} GPUs that PyTorch can use; "
            f"ask for at most {gpus}, or use --executor ray or slurm"
        )


def _was_killed(job: LocalJob) -> bool:
    return isinstance(job.future.exception(), BrokenProcessPool)


def _start_worker(parent: int, quiet: bool) -> None:
    if quiet:
        be_quiet()
    _end_with(parent)


def _end_with(parent: int) -> None:
    """End this process when the study that started it is gone; else it would keep its artifact's lock."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
