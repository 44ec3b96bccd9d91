"""How a stage is run by whoever was given it: a process of this machine, a Ray task or a SLURM job.

A stage without wishes is built in that process. One with GPUs or several ranks is started by a command
line, which is the same everywhere; with several ranks it is torchrun's.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import Store
from ..core.progress import reported_to
from .graph import build_graph
from .launch import Resources
from .progress_display import progress_path
from .recipe import Recipe
from .run_node import run_node
from .stage_task import StageOutcome, StageTask, outcome_of

THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
"""Set to `runtime.threads` in every worker process of this machine, unless the user has set them."""
GRACE_SECONDS = 30.0
"""Between asking a stage's processes to end and killing them."""


@dataclass(frozen=True)
class Place:
    """One of the nodes that a stage runs on."""

    node: int = 0
    address: str = "127.0.0.1:29400"
    """Host and port of the first node, where the ranks of several nodes meet."""


def run_task(
    task: StageTask, devices: Sequence[str] | None = None, place: Place | None = None, alone: bool = False
) -> StageOutcome:
    """Run one stage, on one of its nodes, to its end.

    `devices`: its GPUs on this node; None: those that the process sees. `alone`: in a process of its own,
    whatever it asks for.
    """
    if alone or task.resources.own_processes:
        return _run_command(task, devices, place or Place())
    return outcome_of(lambda: _build(task), Store(task.root).partial_root)


def _build(task: StageTask) -> float | None:
    """Build the stage in this process."""
    graph = build_graph(Recipe.parse(task.recipe, "recipe"), Store(task.root))
    node = graph.nodes[task.node_id]
    with reported_to(progress_path(node, graph)):
        return run_node(node, graph, task.patience)


def stage_command(task_file: Path, resources: Resources, place: Place) -> list[str]:
    """The command line of a stage on one of its nodes."""
    stage = ["-m", "echochamber.study.run_stage", str(task_file)]
    if resources.world_size == 1:
        return [sys.executable, *stage]
    host, _, port = place.address.rpartition(":")
    several = [
        f"--nnodes={resources.nodes}",
        f"--node-rank={place.node}",
        f"--master-addr={host}",
        f"--master-port={port}",
    ]
    where = several if resources.nodes > 1 else ["--standalone"]
    ranks = f"--nproc-per-node={resources.ranks}"
    return [sys.executable, "-m", "torch.distributed.run", *where, ranks, *stage]


def stage_environment(resources: Resources, threads: int, devices: Sequence[str] | None) -> dict[str, str]:
    """The environment of that command: this process's own, with the stage's GPUs and threads."""
    environment = dict(os.environ)
    for name in THREAD_SETTINGS:
        environment[name] = environment.get(name) or str(threads)
    if resources.gpus == 0:
        devices = []
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return environment


def _run_command(task: StageTask, devices: Sequence[str] | None, place: Place) -> StageOutcome:
    task_file, log = task.files.write_task(task, place.node), task.log(place.node)
    command = stage_command(task_file, task.resources, place)
    environment = stage_environment(task.resources, task.threads, devices)
    with log.open("ab") as printed:
        # When this process ends, however it does, the pipe closes, and the stage's processes end too. A
        # terminal's Ctrl-C reaches them through this process alone, or they would take it for a second one.
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait()
        finally:
            _stop(process)
    return _outcome(task, status, log, place.node)


def _outcome(task: StageTask, status: int, log: Path, node: int) -> StageOutcome:
    """What rank 0 or a failing rank wrote down; without that the stage was lost.

    Ranks of a further node that end well say nothing, and may do so before rank 0 has written.
    """
    if node > 0 and status == 0:
        return StageOutcome()
    found = task.files.outcome()
    if found is None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return StageOutcome(None, f"its process {how}; what it printed is in {log}", lost=True)
    if found.error is None and node == 0:
        task.files.remove()
    return found


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a command that still runs, as where this process is interrupted or pre-empted.

    Training finishes its step and saves its state before it ends.
    """
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None, "opened as a pipe"
        process.stdin.close()
