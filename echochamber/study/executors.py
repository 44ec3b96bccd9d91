"""Where stages run when several run at once: processes of this machine, or Ray tasks on a cluster.

An executor takes stages and reports how each ended. The study decides their order, the executor where
they run. A task is plain data: the resolved recipe, the study's folder and the stage's id.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Hashable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

from ..core.artifacts import Store
from ..core.bug_report import report_bug
from ..core.errors import UserError
from ..core.progress import be_quiet, is_quiet, reported_to, say
from ..core.storage import StorageError
from .graph import build_graph
from .progress_display import progress_path
from .recipe import Recipe
from .run_node import run_node
from .stage_graph import StageGraph, StageNode

Handle = TypeVar("Handle", bound=Hashable)
"""What an executor gives out for a stage that it runs."""

RETRIES = 3
"""How often a stage is restarted after its process or machine was lost. It resumes."""
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
"""Set to `runtime.threads` in every local worker process, unless the user has set them."""
HELD_SECONDS = 24 * 3600.0
"""How long a stage waits for another run of the study that builds it. A lock ends with its process."""


@dataclass(frozen=True)
class Ended(Generic[Handle]):
    """How a stage ended."""

    handle: Handle
    seconds: float | None
    error: str | None
    bad_input: bool = False
    storage: bool = False
    """It could not be written; the stages after it could not either."""
    bug: bool = False
    """It met an exception that nobody had foreseen; its traceback is saved."""


@runtime_checkable
class StageExecutor(Protocol[Handle]):
    """Runs stages somewhere."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def slots(self) -> int:
        """How many stages may run at once."""
        ...

    def submit(self, node: StageNode) -> Handle:
        """Start a stage; returns a handle."""
        ...

    def wait(self, handles: Iterable[Handle]) -> list[Ended[Handle]]:
        """Stages that have ended, at least one."""
        ...


@dataclass(eq=False)
class _LocalTask:
    """A stage in a local worker process."""

    node: StageNode
    future: Future[float | None]
    tries: int = 1


class LocalExecutor:
    """Processes of this machine.

    When one of them is killed (by the kernel where memory is short, say) all stages that were running are
    started anew from their resume states, at most `RETRIES` times each.
    """

    def __init__(self, graph: StageGraph, workers: int, patience: float = HELD_SECONDS) -> None:
        self.slots, self._patience, self._folder = workers, patience, graph.store.partial_root
        self._task = (graph.recipe.resolved(), graph.store.root)
        self._threads = graph.recipe.runtime.threads

    def __enter__(self) -> Self:
        # Read by libraries when they are loaded, in each process before anything of ours runs.
        self._before = {name: os.environ.get(name) for name in THREAD_SETTINGS}
        os.environ.update({name: value or str(self._threads) for name, value in self._before.items()})
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

    def submit(self, node: StageNode) -> _LocalTask:
        """A task of the process pool."""
        return _LocalTask(node, self._pool.submit(run_named, *self._task, node.id, self._patience))

    def wait(self, handles: Iterable[_LocalTask]) -> list[Ended[_LocalTask]]:
        """Stages that have ended. An error fails its stage; unless it is bad input, a traceback is saved."""
        jobs = list(handles)
        while True:
            wait([job.future for job in jobs], return_when=FIRST_COMPLETED)
            if any(
                job.future.done() and isinstance(job.future.exception(), BrokenProcessPool) for job in jobs
            ):
                lost = self._start_anew(jobs)
                if not lost:
                    continue
                return lost
            return [self._ended(job) for job in jobs if job.future.done()]

    def _ended(self, job: _LocalTask) -> Ended[_LocalTask]:
        error = job.future.exception()
        if error is None:
            return Ended(job, job.future.result(), None)
        if isinstance(error, UserError):
            return Ended(job, None, str(error), bad_input=True, storage=isinstance(error, StorageError))
        if not isinstance(error, Exception):
            raise error
        return Ended(job, None, report_bug(error, self._folder), bug=True)

    def _start_anew(self, jobs: list[_LocalTask]) -> list[Ended[_LocalTask]]:
        """Restart every stage of the broken pool in a new one; returns those that were lost too often."""
        self._pool.shutdown()
        self._open()
        lost = []
        for job in jobs:
            if not isinstance(job.future.exception(), BrokenProcessPool):
                continue
            if job.tries > RETRIES:
                lost.append(Ended(job, None, f"its process was killed {job.tries} times"))
                continue
            say(f"again {job.node.id}: a process was killed")
            job.future, job.tries = self.submit(job.node).future, job.tries + 1
        return lost


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


class RayExecutor:
    """Tasks of a Ray cluster: that of `RAY_ADDRESS`, or one of this machine's cores.

    The study's folder must be the same path on every node, this package installed there, and files
    that the recipe names given by absolute paths.
    """

    slots = 10_000

    def __init__(self, graph: StageGraph, patience: float = HELD_SECONDS) -> None:
        self._patience, self._folder = patience, graph.store.partial_root
        try:
            import ray
        except ImportError:
            raise UserError("--executor ray needs Ray; pip install 'echochamber[ray]'") from None
        self._ray = ray
        self._task = (graph.recipe.resolved(), graph.store.root.resolve())
        self._cpus = graph.recipe.runtime.threads
        # `auto` takes a GPU where the cluster has one; a cluster without would never start the task.
        self._device = graph.recipe.runtime.device

    def __enter__(self) -> Self:
        self._ray.init(
            include_dashboard=False, log_to_driver=False, ignore_reinit_error=True, configure_logging=False
        )
        has_gpu = self._ray.cluster_resources().get("GPU", 0) > 0
        self._gpus = 1 if self._device == "cuda" or (self._device == "auto" and has_gpu) else 0
        self._remote = self._ray.remote(run_named)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def submit(self, node: StageNode) -> object:
        """A task with the stage's threads as CPUs; stages that train or sample ask for the GPU."""
        gpus = self._gpus if node.kind in ("pretrain", "rl", "evaluate") else 0
        task = self._remote.options(
            num_cpus=self._cpus, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        return task.remote(*self._task, node.id, self._patience)

    def wait(self, handles: Iterable[object]) -> list[Ended[object]]:
        """Tasks that have ended; an error in one, or a node lost too often, is its stage's failure."""
        done, _ = self._ray.wait(list(handles), num_returns=1)
        return [self._end(handle) for handle in done]

    def _end(self, handle: object) -> Ended[object]:
        failures = self._ray.exceptions
        try:
            return Ended(handle, self._ray.get(handle), None)
        except failures.RayTaskError as error:
            bad_input, storage = (isinstance(error.cause, kind) for kind in (UserError, StorageError))
            told = str(error.cause) if bad_input else report_bug(error, self._folder)
            return Ended(handle, None, told, bad_input, storage, bug=not bad_input)
        except (failures.WorkerCrashedError, failures.NodeDiedError) as error:
            return Ended(handle, None, f"lost {RETRIES + 1} times ({type(error).__name__})")


def run_named(data: dict[str, object], root: Path, node_id: str, patience: float = 0.0) -> float | None:
    """Build one stage in this process, from plain data."""
    graph = build_graph(Recipe.parse(data, "recipe"), Store(root))
    node = graph.nodes[node_id]
    with reported_to(progress_path(node, graph)):
        return run_node(node, graph, patience)
