"""Run the stages that are missing: in order, several at once, or with several ranks per training stage."""

from pathlib import Path
from typing import Literal

from ..core.artifacts import Store, make_folder
from ..core.errors import UserError
from ..core.formats import extra_formats
from ..core.progress import be_quiet, say
from ..model.ranks import Ranks, join_ranks
from ..model.runtime import start_runtime
from ..verify.twins import twin_formats
from .executors import Handle, LocalExecutor, RayExecutor, StageExecutor
from .graph import build_graph
from .progress_display import ProgressDisplay, shown
from .recipe import Recipe
from .run_node import TRAINING, run_node
from .stage_graph import StageGraph, StageNode
from .status import StageStatus, StudyStatus

ExecutorName = Literal["local", "ray"]


def open_study(recipe: Recipe, out: Path, command: str = "") -> tuple[StageGraph, StudyStatus]:
    """The stage graph over the artifacts in `out`, and its status; creates the folder.

    `command` is kept in `study.json`.
    """
    make_folder(out / "artifacts" / ".partial")
    graph = build_graph(recipe, Store(out / "artifacts"))
    return graph, StudyStatus(out, graph, command)


def run_study(
    graph: StageGraph,
    status: StudyStatus,
    kinds: set[str] | None = None,
    workers: int = 1,
    executor: ExecutorName = "local",
) -> int | None:
    """Run what is missing (of some kinds and what they need); returns how many stages failed.

    A failed stage stops what rests on it and nothing else; where several ranks train, a failed
    training stage ends the run, or the others would wait for it. Rank 0 prepares, evaluates and
    writes, and returns the count; the others only take part in training and return None.
    """
    ranks = join_ranks()
    if ranks.world_size > 1 and (workers > 1 or executor != "local"):
        asked = f"--workers {workers}" if workers > 1 else f"--executor {executor}"
        raise UserError(
            f"{asked} under torchrun: {ranks.world_size} ranks work on one stage at a time; "
            "use one or the other"
        )
    if not ranks.is_main:
        _follow(graph, ranks)
        return None
    wanted = [node for node in graph.nodes.values() if node.id in _needed(graph, kinds)]
    missing = [node for node in wanted if status.nodes[node.id].status != "done"]
    status.write()
    if executor == "ray" and missing:
        with RayExecutor(graph) as several:
            _run_in_executor(missing, status, several)
    elif workers > 1 and missing:
        with LocalExecutor(graph, workers) as several:
            _run_in_executor(missing, status, several)
    else:
        _run_in_order(missing, graph, status, ranks)
    ranks.from_main(None)
    return sum(status.nodes[node.id].status == "failed" for node in missing)


def _needed(graph: StageGraph, kinds: set[str] | None) -> set[str]:
    """Ids of the stages of these kinds and of all their ancestors."""
    needed = {name for name, node in graph.nodes.items() if kinds is None or node.kind in kinds}
    for name in reversed(list(graph.nodes)):
        if name in needed:
            needed |= set(graph.nodes[name].parents)
    return needed


def _ready(node: StageNode, status: StudyStatus) -> bool:
    return all(status.nodes[parent].status == "done" for parent in node.parents)


def _run_in_order(missing: list[StageNode], graph: StageGraph, status: StudyStatus, ranks: Ranks) -> None:
    for number, node in enumerate(missing, start=1):
        if not _ready(node, status):
            continue
        say(f"[{number}/{len(missing)}] {node.id}")
        status.set(node.id, StageStatus("running"))
        try:
            status.set(node.id, StageStatus("done", run_node(node, graph)))
        except UserError as error:
            _note_failure(node, str(error), status)
            if node.kind in TRAINING and ranks.world_size > 1:
                raise


def _follow(graph: StageGraph, ranks: Ranks) -> None:
    """Work on the training stages that rank 0 names, until it names no more."""
    be_quiet()
    while stage := ranks.from_main(None):
        node_id, folder = stage
        node = graph.nodes[node_id]
        with extra_formats(twin_formats(graph.recipe.twins_of(node.mixture))):
            node.run(Path(folder), start_runtime(graph.recipe.runtime))


def _run_in_executor(missing: list[StageNode], status: StudyStatus, executor: StageExecutor[Handle]) -> None:
    """Start every stage whose parents are done, as far as the executor has free workers.

    Stages with equal content share one artifact, so they never run at once.
    """
    with shown(ProgressDisplay(missing, status)) as display:
        _hand_over(missing, status, executor, display)


def _hand_over(
    missing: list[StageNode], status: StudyStatus, executor: StageExecutor[Handle], display: ProgressDisplay
) -> None:
    running: dict[Handle, StageNode] = {}
    waiting = list(missing)
    while waiting or running:
        for node in [node for node in waiting if _ready(node, status)]:
            if len(running) >= executor.slots:
                break
            if node.spec.name not in {other.spec.name for other in running.values()}:
                waiting.remove(node)
                status.set(node.id, StageStatus("running"))
                display.start(node)
                running[executor.submit(node)] = node
        if not running:
            break
        for ended in executor.wait(running):
            node = running.pop(ended.handle)
            state = (
                StageStatus("done", ended.seconds)
                if ended.error is None
                else StageStatus("failed", None, ended.error, ended.bad_input)
            )
            status.set(node.id, state)
            display.end(node, ended.error)


def _note_failure(node: StageNode, message: str, status: StudyStatus) -> None:
    say(f"failed {node.id}: {message}")
    status.set(node.id, StageStatus("failed", None, message, bad_input=True))
