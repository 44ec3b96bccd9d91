"""The executors by name: processes of this machine, Ray tasks, SLURM jobs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from ..core.errors import UserError
from .launch import LAUNCHED, key_of, resources_of
from .stage_executor import StageExecutor
from .stage_graph import StageGraph, StageNode

ExecutorName = Literal["local", "ray", "slurm"]
HELD_SECONDS = 24 * 3600.0
"""How long a stage waits for another run of the study that builds it. A lock ends with its process."""


def executor_name(name: str) -> ExecutorName:
    """The name, if there is such an executor."""
    for known in get_args(ExecutorName):
        if name == known:
            return known
    *first, last = get_args(ExecutorName)
    raise UserError(f"--executor {name!r} is not known; there are {', '.join(first)} and {last}")


def open_executor(
    name: ExecutorName,
    missing: Sequence[StageNode],
    graph: StageGraph,
    workers: int,
    patience: float,
    slurm: Mapping[str, str],
) -> StageExecutor[Any] | None:
    """The executor of that name; None where one stage after the other runs in this process.

    That is so with one local worker, unless a stage asks for processes of its own.
    """
    if slurm and name != "slurm":
        raise UserError(f"--slurm {next(iter(slurm))}: is for --executor slurm, and this is {name}")
    if name == "ray":
        from .ray_executor import RayExecutor

        return RayExecutor(graph, patience)
    if name == "slurm":
        from .slurm_executor import SlurmExecutor

        return SlurmExecutor(graph, patience, slurm, workers)
    if workers > 1 or any(resources_of(node, graph.recipe).own_processes for node in missing):
        from .local_executor import LocalExecutor

        return LocalExecutor(graph, workers, patience)
    return None


def refuse_under_torchrun(
    name: ExecutorName, nodes: Sequence[StageNode], graph: StageGraph, workers: int, world_size: int
) -> None:
    """`UserError` where a study that runs in several ranks is told to start processes of its own."""
    own = [node for node in nodes if node.kind in LAUNCHED and resources_of(node, graph.recipe).own_processes]
    asked = f"--workers {workers}" if workers > 1 else None
    asked = f"--executor {name}" if name != "local" and asked is None else asked
    asked = key_of(own[0], "gpus, nodes or ranks") if own and asked is None else asked
    if asked is not None:
        raise UserError(
            f"{asked} under torchrun: {world_size} ranks work on one stage at a time; use one or the other"
        )
