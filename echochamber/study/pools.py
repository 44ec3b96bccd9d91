"""Where stages run when several run at once: processes of this machine, or Ray tasks on a cluster.

A pool takes a stage's name and says later how it ended; the order of stages is the study's business,
the placing of tasks the pool's. All that travels is the recipe, the folder and the name.
"""

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from ..core.artifacts import Store
from ..core.errors import UserError
from .graph import Graph, Node
from .recipe import Recipe
from .run_node import run_node

RETRIES = 3
"""How often Ray starts a stage anew whose node or process was lost; it goes on from its resume state."""
LOST_LOCK_SECONDS = 120.0
"""How long a restarted stage waits for what is left of its lost predecessor to let go of the artifact."""


class Ended(NamedTuple):
    """How a stage ended."""

    handle: Any
    seconds: float | None
    error: str | None


class Pool(Protocol):
    """Runs stages somewhere."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def slots(self) -> int:
        """How many stages may be handed over at once."""
        ...

    def submit(self, node: Node) -> Any:
        """Hand a stage over; returns a handle."""
        ...

    def wait(self, handles: Iterable[Any]) -> list[Ended]:
        """Stages that have ended, at least one."""
        ...


class LocalPool:
    """Processes of this machine."""

    def __init__(self, graph: Graph, workers: int) -> None:
        self.slots = workers
        self._task = (graph.recipe.resolved(), graph.store.root)

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(self.slots, mp_context=multiprocessing.get_context("spawn"))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def submit(self, node: Node) -> Future[float | None]:
        """A task of the process pool."""
        return self._pool.submit(run_named, *self._task, node.id)

    def wait(self, handles: Iterable[Future[float | None]]) -> list[Ended]:
        """Futures that are done; an error that is no `UserError` is ours and goes on up."""
        ended = []
        for future in wait(handles, return_when=FIRST_COMPLETED).done:
            error = future.exception()
            bad_input = isinstance(error, UserError)
            ended.append(Ended(future, None if bad_input else future.result(), str(error) if bad_input else None))
        return ended


class RayPool:
    """Tasks of a Ray cluster: that of `RAY_ADDRESS`, or one of this machine's cores.

    The study's folder must be the same path on every node, this package installed there, and files
    that the recipe names given by absolute paths.
    """

    slots = 10_000

    def __init__(self, graph: Graph) -> None:
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
        self._ray.init(include_dashboard=False, log_to_driver=False, ignore_reinit_error=True, configure_logging=False)
        has_gpu = self._ray.cluster_resources().get("GPU", 0) > 0
        self._gpus = 1 if self._device == "cuda" or (self._device == "auto" and has_gpu) else 0
        self._remote = self._ray.remote(run_named)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def submit(self, node: Node) -> Any:
        """A task with the stage's threads as CPUs; stages that train or sample ask for the GPU."""
        gpus = self._gpus if node.kind in ("pretrain", "rl", "evaluate") else 0
        task = self._remote.options(num_cpus=self._cpus, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD")
        return task.remote(*self._task, node.id, LOST_LOCK_SECONDS)

    def wait(self, handles: Iterable[Any]) -> list[Ended]:
        """Tasks that have ended; bad input and a task lost too often are this stage's failure, nothing else is caught."""
        done, _ = self._ray.wait(list(handles), num_returns=1)
        return [self._end(handle) for handle in done]

    def _end(self, handle: Any) -> Ended:
        failures = self._ray.exceptions
        try:
            return Ended(handle, self._ray.get(handle), None)
        except failures.RayTaskError as error:
            if not isinstance(error.cause, UserError):
                raise
            return Ended(handle, None, str(error.cause))
        except (failures.WorkerCrashedError, failures.NodeDiedError) as error:
            return Ended(handle, None, f"lost {RETRIES + 1} times ({type(error).__name__})")


def run_named(data: dict[str, Any], root: Path, node_id: str, patience: float = 0.0) -> float | None:
    """Build one stage in this process, from plain data."""
    graph = Graph(Recipe.parse(data, "recipe"), Store(root))
    return run_node(graph.nodes[node_id], graph, patience)
