"""Run the stages that are missing: in order, several at once, or with several ranks per training stage."""

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Literal

from ..core.artifacts import Store
from ..core.bug_report import report_bug
from ..core.errors import UserError
from ..core.files import make_folder, remove_old_temporary
from ..core.progress import be_quiet, reported_to, say
from ..core.storage import StorageError, check_room
from ..model.ranks import Ranks, join_ranks, started_by_torchrun
from ..model.runtime import choose_device, start_runtime
from ..rollout.engine_names import check_engine_installed
from ..verify.behaviours import extra_behaviours
from .executors import HELD_SECONDS, Handle, LocalExecutor, RayExecutor, StageExecutor
from .graph import build_graph
from .progress_display import ProgressDisplay, progress_path, shown
from .recipe import Recipe
from .run_node import TRAINING, run_node
from .stage_estimates import stage_bytes
from .stage_graph import StageGraph, StageNode
from .status import StageStatus, StudyStatus
from .tracking import tracking

ExecutorName = Literal["local", "ray"]


def open_study(recipe: Recipe, out: Path, command: str = "") -> tuple[StageGraph, StudyStatus]:
    """The stage graph over the artifacts in `out`, and its status; creates the folder.

    `command` is kept in `study.json`.
    """
    make_folder(out / "artifacts")
    with suppress(UserError):  # on read-only media a finished study is read all the same
        make_folder(out / "artifacts" / ".partial")
    remove_old_temporary(out)
    graph = build_graph(recipe, Store(out / "artifacts"))
    return graph, StudyStatus(out, graph, command)


def run_study(
    graph: StageGraph,
    status: StudyStatus,
    kinds: set[str] | None = None,
    workers: int = 1,
    executor: ExecutorName = "local",
    patience: float = HELD_SECONDS,
) -> int | None:
    """Run what is missing (of some kinds and what they need); returns how many stages failed.

    `patience`: longest wait in seconds for a stage that another run of this study is building.

    A failed stage stops what rests on it and nothing else; where several ranks train, a failed
    training stage ends the run, or the others would wait for it. Rank 0 prepares, evaluates and
    writes, and returns the count; the others only take part in training and return None.
    """
    check_engine_installed(graph.recipe.runtime.engine)
    ranks = join_ranks(choose_device(graph.recipe.runtime.device) if started_by_torchrun() else None)
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
    with nullcontext() if missing else suppress(UserError):  # a finished study on read-only media
        status.write()
    with tracking(graph.recipe.track, status.path.parent):
        if missing:
            _run_missing(missing, graph, status, workers, executor, patience, ranks)
    ranks.from_main(None)
    return sum(status.nodes[node.id].status == "failed" for node in missing)


def _run_missing(
    missing: list[StageNode],
    graph: StageGraph,
    status: StudyStatus,
    workers: int,
    executor: ExecutorName,
    patience: float,
    ranks: Ranks,
) -> None:
    """Run stages; however that ends, `study.json` does not say afterwards that one is running."""
    status.hold_reserve()
    try:
        if executor == "ray":
            with RayExecutor(graph, patience) as several:
                _run_in_executor(missing, status, several, patience)
        elif workers > 1:
            with LocalExecutor(graph, workers, patience) as several:
                _run_in_executor(missing, status, several, patience)
        else:
            _run_in_order(missing, graph, status, ranks, patience)
    except StorageError as error:
        status.stop(StageStatus("failed", None, str(error), bad_input=True))
        raise
    except BaseException:
        status.stop(StageStatus())
        raise
    status.close()


def _needed(graph: StageGraph, kinds: set[str] | None) -> set[str]:
    """Ids of the stages of these kinds and of all their ancestors."""
    needed = {name for name, node in graph.nodes.items() if kinds is None or node.kind in kinds}
    for name in reversed(list(graph.nodes)):
        if name in needed:
            needed |= set(graph.nodes[name].parents)
    return needed


def _ready(node: StageNode, status: StudyStatus) -> bool:
    return all(status.nodes[parent].status == "done" for parent in node.parents)


def _sound(node: StageNode, status: StudyStatus, patience: float) -> list[StageNode]:
    """Parents of a stage that must be made again: their files are not those of their manifests."""
    graph, damaged = status.graph, []
    for parent in (graph.nodes[name] for name in node.parents):
        graph.store.set_aside_if_damaged(parent.spec, patience)
        if not graph.store.has(parent.spec):
            status.set(parent.id, StageStatus())
            damaged.append(parent)
    return damaged


def _run_in_order(
    missing: list[StageNode], graph: StageGraph, status: StudyStatus, ranks: Ranks, patience: float
) -> None:
    for number, node in enumerate(missing, start=1):
        _run_one(node, f"[{number}/{len(missing)}]", graph, status, ranks, patience)


def _run_one(
    node: StageNode, place: str, graph: StageGraph, status: StudyStatus, ranks: Ranks, patience: float
) -> None:
    """One stage, after those of its parents that turn out to be damaged."""
    if not _ready(node, status):
        return
    for parent in _sound(node, status, patience):
        _run_one(parent, place, graph, status, ranks, patience)
    if not _ready(node, status):
        return
    say(f"{place} {node.id}")
    status.set(node.id, StageStatus("running"))
    try:
        check_room(graph.store.root, stage_bytes(node, graph.recipe))
        with reported_to(progress_path(node, graph), alone=False):
            seconds = run_node(node, graph, patience)
        status.set(node.id, StageStatus("done", seconds))
    except StorageError:
        raise
    except UserError as error:
        _note_failure(node, StageStatus("failed", None, str(error), bad_input=True), status)
        if node.kind in TRAINING and ranks.world_size > 1:
            raise
    except Exception as error:
        if ranks.world_size > 1:
            raise
        told = report_bug(error, graph.store.partial_root)
        _note_failure(node, StageStatus("failed", None, told, bug=True), status)


def _follow(graph: StageGraph, ranks: Ranks) -> None:
    """Work on the training stages that rank 0 names, until it names no more."""
    be_quiet()
    while stage := ranks.from_main(None):
        node_id, folder = stage
        node = graph.nodes[node_id]
        with extra_behaviours(graph.recipe.behaviours_of(node.mixture)):
            node.run(Path(folder), start_runtime(graph.recipe.runtime, graph.recipe.resume.settings))


def _run_in_executor(
    missing: list[StageNode], status: StudyStatus, executor: StageExecutor[Handle], patience: float
) -> None:
    """Start every stage whose parents are done, as far as the executor has free workers.

    Stages with equal content share one artifact, so they never run at once.
    """
    with shown(ProgressDisplay(missing, status)) as display:
        _hand_over(missing, status, executor, display, patience)


def _hand_over(
    missing: list[StageNode],
    status: StudyStatus,
    executor: StageExecutor[Handle],
    display: ProgressDisplay,
    patience: float,
) -> None:
    running: dict[Handle, StageNode] = {}
    waiting, full = list(missing), None
    while waiting or running:
        for node in list(waiting):
            if full is not None or len(running) >= executor.slots:
                break
            if _ready(node, status) and node.spec.name not in {other.spec.name for other in running.values()}:
                if again := _sound(node, status, patience):
                    waiting += [parent for parent in again if parent not in waiting]
                    continue
                check_room(status.graph.store.root, stage_bytes(node, status.graph.recipe))
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
                else StageStatus("failed", None, ended.error, ended.bad_input, ended.bug)
            )
            status.set(node.id, state)
            display.end(node, ended.error)
            full = full or (ended.error if ended.storage else None)
    if full is not None:
        raise StorageError(full)


def _note_failure(node: StageNode, failure: StageStatus, status: StudyStatus) -> None:
    say(f"failed {node.id}: {failure.error}")
    status.set(node.id, failure)
