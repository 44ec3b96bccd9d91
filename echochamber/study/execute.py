"""Run the stages that are missing: in order, several at once, or with several ranks per training stage."""

from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from ..core.artifacts import Store
from ..core.bug_report import report_bug
from ..core.errors import UserError
from ..core.files import make_folder, remove_old_temporary
from ..core.progress import reported_to, say
from ..core.storage import StorageError, check_room
from ..model.ranks import Ranks, join_ranks, started_by_torchrun
from ..model.runtime import choose_device
from ..rollout.engine_names import check_engine_installed
from .executors import HELD_SECONDS, ExecutorName, open_executor, refuse_under_torchrun
from .graph import build_graph
from .launch import retries_of
from .progress_display import ProgressDisplay, progress_path, shown
from .recipe import Recipe
from .run_node import SHARED, follow, run_node
from .stage_estimates import stage_bytes
from .stage_executor import Handle, StageExecutor
from .stage_graph import StageGraph, StageNode
from .stage_task import StageOutcome
from .status import StageStatus, StudyStatus
from .tracking import tracking


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
    slurm: Mapping[str, str] | None = None,
) -> int | None:
    """Run what is missing (of some kinds and what they need); returns how many stages failed.

    `patience`: longest wait in seconds for a stage that another run of this study is building.
    `slurm`: options of SLURM jobs (`SlurmExecutor`).

    A failed stage stops what rests on it and nothing else; where several ranks work, a failed stage
    that they share ends the run, or the others would wait for it. Rank 0 prepares and writes, and
    returns the count; the others take part in training, evaluation and probes, and return None.
    """
    check_engine_installed(graph.recipe.runtime.engine)
    ranks = join_ranks(choose_device(graph.recipe.runtime.device) if started_by_torchrun() else None)
    wanted = [node for node in graph.nodes.values() if node.id in _needed(graph, kinds)]
    if ranks.world_size > 1:
        refuse_under_torchrun(executor, wanted, graph, workers, ranks.world_size)
    if not ranks.is_main:
        follow(graph, ranks)
        return None
    missing = [node for node in wanted if status.nodes[node.id].status != "done"]
    with nullcontext() if missing else suppress(UserError):  # a finished study on read-only media
        status.write()
    with tracking(graph.recipe.track, status.path.parent):
        if missing:
            several = open_executor(executor, missing, graph, workers, patience, slurm or {})
            _run_missing(missing, graph, status, several, patience, ranks)
    ranks.from_main(None)
    return sum(status.nodes[node.id].status == "failed" for node in missing)


def _run_missing(
    missing: list[StageNode],
    graph: StageGraph,
    status: StudyStatus,
    several: StageExecutor[Any] | None,
    patience: float,
    ranks: Ranks,
) -> None:
    """Run stages; however that ends, `study.json` does not say afterwards that one is running."""
    status.hold_reserve()
    try:
        if several is not None:
            with several:
                for node in missing:
                    several.check(node)
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
        if node.kind in SHARED and ranks.world_size > 1:
            raise
    except Exception as error:
        if ranks.world_size > 1:
            raise
        told = report_bug(error, graph.store.partial_root)
        _note_failure(node, StageStatus("failed", None, told, bug=True), status)


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
    waiting, full, tries = list(missing), None, Counter[str]()
    while waiting or running:
        for node in list(waiting):
            if full is not None or len(running) >= executor.slots:
                break
            if not _ready(node, status) or not executor.has_room(node):
                continue
            if node.spec.name not in {other.spec.name for other in running.values()}:
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
            node, outcome = running.pop(ended.handle), ended.outcome
            if full is None and _again(node, outcome, tries, status):
                running[executor.submit(node)] = node
                continue
            failed = _failure(outcome, tries[node.id])
            status.set(node.id, failed or StageStatus("done", outcome.seconds))
            display.end(node, failed.error if failed else None)
            full = full or (outcome.error if outcome.storage else None)
    if full is not None:
        raise StorageError(full)


def _again(node: StageNode, outcome: StageOutcome, tries: Counter[str], status: StudyStatus) -> bool:
    """Whether a stage that failed or was lost is to go on from its resume state; counts that and says so."""
    most = retries_of(node, status.graph.recipe)
    if not outcome.worth_retrying or tries[node.id] >= most:
        return False
    tries[node.id] += 1
    say(f"again {node.id} (retry {tries[node.id]} of {most}): {outcome.error}")
    return True


def _failure(outcome: StageOutcome, retries: int) -> StageStatus | None:
    """The state of a stage that failed; None where it is done."""
    if outcome.error is None:
        return None
    after = f" (after {retries} retries)" if retries else ""
    return StageStatus("failed", None, f"{outcome.error}{after}", outcome.bad_input, outcome.bug)


def _note_failure(node: StageNode, failure: StageStatus, status: StudyStatus) -> None:
    say(f"failed {node.id}: {failure.error}")
    status.set(node.id, failure)
