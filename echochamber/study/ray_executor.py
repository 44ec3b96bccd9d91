"""Stages as Ray tasks: on the cluster of `RAY_ADDRESS`, or on one of this machine's cores."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..core.errors import UserError
from .launch import LAUNCHED, Resources, key_of, resources_of
from .stage_executor import Ended
from .stage_graph import StageGraph, StageNode
from .stage_process import Place, run_task
from .stage_task import StageOutcome, StageTask, outcome_of


@dataclass(eq=False)
class RayJob:
    """A stage in one task, or in one on each of several nodes; the first task tells how it ended."""

    tasks: list[Any]
    group: Any = None
    """The placement group of several nodes."""
    ended: list[Any] = field(default_factory=list)


class RayExecutor:
    """Tasks of a Ray cluster.

    The study's folder must be the same path on every node, this package installed there, and files
    that the recipe names given by absolute paths.
    """

    slots = 10_000

    def __init__(self, graph: StageGraph, patience: float) -> None:
        self._graph, self._patience = graph, patience
        try:
            import ray
        except ImportError:
            raise UserError("--executor ray needs Ray; pip install 'echochamber[ray]'") from None
        self._ray = ray

    def __enter__(self) -> Self:
        try:
            self._ray.init(
                include_dashboard=False,
                log_to_driver=False,
                ignore_reinit_error=True,
                configure_logging=False,
            )
        except (ConnectionError, self._ray.exceptions.AuthenticationError) as error:
            raise UserError(
                f"--executor ray cannot join the cluster of RAY_ADDRESS={os.environ.get('RAY_ADDRESS', '')} "
                f"({_first_line(error)}); is it running, and does it want a token (RAY_AUTH_MODE)?"
            ) from None
        self._nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        self._task = self._ray.remote(run_on_ray)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def check(self, node: StageNode) -> None:
        """`UserError` where too few nodes have what the stage asks for: it would never start."""
        asked, cpus = self._asked(node), self._cpus(node)
        for name, key, wanted in (("GPU", "gpus", asked.gpus or 0), ("CPU", "ranks", cpus)):
            found = sorted((int(one.get(name, 0)) for one in self._nodes), reverse=True)
            if len([most for most in found if most >= wanted]) < asked.nodes:
                threads = f" (ranks x runtime.threads {self._graph.recipe.runtime.threads})"
                raise UserError(
                    f"{key_of(node, key)}: {node.id} asks for {wanted} {name}s"
                    f"{threads if name == 'CPU' else ''} on {asked.nodes} node(s); "
                    f"those of the Ray cluster have {', '.join(map(str, found))}"
                )

    def has_room(self, node: StageNode) -> bool:
        """Ray keeps a task until there is room for it."""
        return True

    def submit(self, node: StageNode) -> RayJob:
        """One task, or a placement group with a task on every node."""
        asked = self._asked(node)
        # A GPU that the recipe does not ask for is the task's, which needs no processes for it.
        own = replace(asked, gpus=resources_of(node, self._graph.recipe).gpus)
        task = StageTask.of(node, self._graph, self._patience, own)
        amounts = {"CPU": self._cpus(node), "GPU": asked.gpus or 0}
        if asked.nodes == 1:
            return RayJob([self._start(amounts, "SPREAD").remote(task)])
        from ray.util import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = placement_group([amounts] * asked.nodes, strategy="STRICT_SPREAD")
        places = [PlacementGroupSchedulingStrategy(group, index) for index in range(asked.nodes)]
        address = self._ray.remote(meeting_place).options(num_cpus=0, scheduling_strategy=places[0]).remote()
        tasks = [
            self._start(amounts, place).remote(task, index, address) for index, place in enumerate(places)
        ]
        return RayJob(tasks, group)

    def wait(self, handles: Iterable[RayJob]) -> list[Ended[RayJob]]:
        """Stages whose first task has ended, or one of whose tasks was lost."""
        jobs, ended = list(handles), list[Ended[RayJob]]()
        while not ended:
            done, _ = self._ray.wait([task for job in jobs for task in job.tasks if task not in job.ended])
            for job in jobs:
                new = [task for task in job.tasks if task in done]
                job.ended += new
                outcomes = {task: self._outcome(task) for task in new}
                if new and (job.tasks[0] in new or any(one.lost for one in outcomes.values())):
                    ended.append(Ended(job, self._finish(job, list(outcomes.values()))))
        return ended

    def _finish(self, job: RayJob, outcomes: list[StageOutcome]) -> StageOutcome:
        """How the stage ended; what still runs of it is ended, and its nodes are given back."""
        for task in job.tasks:
            if task not in job.ended:
                self._ray.cancel(task, force=True)
        if job.group is not None:
            from ray.util import remove_placement_group

            remove_placement_group(job.group)
        return next((one for one in outcomes if one.lost), outcomes[0])

    def _outcome(self, task: Any) -> StageOutcome:
        failures = self._ray.exceptions
        try:
            found: StageOutcome = self._ray.get(task)
            return found
        except failures.RayTaskError as error:
            cause = error
            return outcome_of(lambda: _raise(cause), self._graph.store.partial_root)
        except failures.RayError as error:
            return StageOutcome(None, f"its task was lost ({type(error).__name__})", lost=True)

    def _start(self, amounts: dict[str, int], strategy: object) -> Any:
        return self._task.options(
            num_cpus=amounts["CPU"],
            num_gpus=amounts["GPU"],
            max_retries=0,  # the study counts and tells its own
            scheduling_strategy=strategy,
        )

    def _asked(self, node: StageNode) -> Resources:
        """What the recipe says; without a word, stages that train or sample take a GPU where there are any.

        A cluster without would never start the task.
        """
        asked, device = resources_of(node, self._graph.recipe), self._graph.recipe.runtime.device
        has_gpu = any(one.get("GPU", 0) > 0 for one in self._nodes)
        on_gpu = node.kind in LAUNCHED and (device == "cuda" or (device == "auto" and has_gpu))
        return replace(asked, gpus=1) if on_gpu and asked.gpus is None else asked

    def _cpus(self, node: StageNode) -> int:
        return self._graph.recipe.runtime.threads * self._asked(node).ranks


def run_on_ray(task: StageTask, node: int = 0, address: str = "") -> StageOutcome:
    """Run a stage on one of its nodes. Ray has named the GPUs in the environment of this process."""
    return run_task(task, None, Place(node, address) if address else None)


def meeting_place() -> str:
    """Host and a free port of the node that this is called on."""
    import socket

    import ray

    with socket.socket() as found:
        found.bind(("", 0))
        return f"{ray.util.get_node_ip_address()}:{found.getsockname()[1]}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _raise(error: Exception) -> None:
    raise error
