"""Run the stages that are missing: in order, several processes at once, or with several ranks per training stage."""

import multiprocessing
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.artifacts import Store, make_folder
from ..core.errors import UserError
from ..core.progress import be_quiet, say
from ..model.ranks import Ranks, join_ranks
from ..model.runtime import start_runtime
from .graph import Graph, Node
from .recipe import Recipe
from .status import NodeStatus, StudyStatus, end_sittings, read_seconds, start_sitting

TRAINING = ("pretrain", "rl")
"""Stages that all ranks work on; the others are rank 0's, while the rest wait."""


def open_study(recipe: Recipe, out: Path) -> tuple[Graph, StudyStatus]:
    """The graph over the artifacts in `out` and what is done of it; creates the folder."""
    make_folder(out / "artifacts" / ".partial")
    graph = Graph(recipe, Store(out / "artifacts"))
    return graph, StudyStatus(out, graph)


def run_node(node: Node, graph: Graph) -> float | None:
    """Build one artifact, in this process; returns its wall seconds over all sittings.

    Where several ranks train, this is rank 0: it owns the folder, the others read it and write nothing.
    """
    runtime = start_runtime(graph.recipe.runtime)
    seeds = {"seed": node.seed} if node.seed is not None else {}
    with graph.store.build(node.spec, seeds) as folder:
        start_sitting(folder, time.time())
        if node.kind in TRAINING:
            runtime.ranks.from_main([node.id, str(folder)])
        else:
            # The others are waiting for a training stage and answer nothing else.
            runtime = replace(runtime, ranks=Ranks())
        node.run(folder, runtime)
        end_sittings(folder, time.time())
    return read_seconds(graph.store.path(node.spec))


def run_study(graph: Graph, status: StudyStatus, kinds: set[str] | None = None, workers: int = 1) -> int | None:
    """Run what is missing (of some kinds and what they need); returns how many stages failed.

    A failed stage stops what rests on it and nothing else; where several ranks train, a failed
    training stage ends the run, or the others would wait for it. Rank 0 prepares, evaluates and
    writes, and returns the count; the others only take part in training and return None.
    """
    ranks = join_ranks()
    if ranks.world_size > 1 and workers > 1:
        raise UserError(f"--workers {workers} under torchrun: {ranks.world_size} ranks work on one stage at a time; use one or the other")
    if not ranks.is_main:
        _follow(graph, ranks)
        return None
    wanted = [node for node in graph.nodes.values() if node.id in _needed(graph, kinds)]
    missing = [node for node in wanted if status.nodes[node.id].status != "done"]
    status.write()
    if workers == 1:
        _run_in_order(missing, graph, status, ranks)
    else:
        _run_in_processes(missing, graph, status, workers)
    ranks.from_main(None)
    return sum(status.nodes[node.id].status == "failed" for node in missing)


def _needed(graph: Graph, kinds: set[str] | None) -> set[str]:
    """Ids of the nodes of these kinds and of all that they rest on."""
    needed = {name for name, node in graph.nodes.items() if kinds is None or node.kind in kinds}
    for name in reversed(list(graph.nodes)):
        if name in needed:
            needed |= set(graph.nodes[name].parents)
    return needed


def _ready(node: Node, status: StudyStatus) -> bool:
    return all(status.nodes[parent].status == "done" for parent in node.parents)


def _run_in_order(missing: list[Node], graph: Graph, status: StudyStatus, ranks: Ranks) -> None:
    for number, node in enumerate(missing, start=1):
        if not _ready(node, status):
            continue
        say(f"[{number}/{len(missing)}] {node.id}")
        status.set(node.id, NodeStatus("running"))
        try:
            status.set(node.id, NodeStatus("done", run_node(node, graph)))
        except UserError as error:
            _note_failure(node, str(error), status)
            if node.kind in TRAINING and ranks.world_size > 1:
                raise


def _follow(graph: Graph, ranks: Ranks) -> None:
    """Work on the training stages that rank 0 names, until it names no more."""
    be_quiet()
    while stage := ranks.from_main(None):
        node_id, folder = stage
        graph.nodes[node_id].run(Path(folder), start_runtime(graph.recipe.runtime))


def _run_in_processes(missing: list[Node], graph: Graph, status: StudyStatus, workers: int) -> None:
    """Stages as tasks of a process pool; the recipe and a node's name are all that travels."""
    data, root = graph.recipe.resolved(), graph.store.root
    running: dict[Future[float | None], Node] = {}
    waiting = list(missing)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        while waiting or running:
            for node in [node for node in waiting if _ready(node, status)][: workers - len(running)]:
                waiting.remove(node)
                say(f"start {node.id}")
                status.set(node.id, NodeStatus("running"))
                running[pool.submit(_run_named, data, root, node.id)] = node
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                node = running.pop(future)
                error = future.exception()
                if isinstance(error, UserError):
                    _note_failure(node, str(error), status)
                else:
                    status.set(node.id, NodeStatus("done", future.result()))
                    say(f"done  {node.id}")


def _run_named(data: dict[str, Any], root: Path, node_id: str) -> float | None:
    graph = Graph(Recipe.parse(data, "recipe"), Store(root))
    return run_node(graph.nodes[node_id], graph)


def _note_failure(node: Node, message: str, status: StudyStatus) -> None:
    say(f"failed {node.id}: {message}")
    status.set(node.id, NodeStatus("failed", None, message))
