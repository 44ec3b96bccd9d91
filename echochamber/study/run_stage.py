"""`python -m echochamber.study.run_stage TASK.json`: one process of a stage, by itself or under torchrun.

It writes how the stage ended beside its task, and leaves with status 0, 2 for bad input, or 1.
"""

import os
import sys
import threading
from pathlib import Path

from ..core.artifacts import Store
from ..core.progress import reported_to
from ..model.ranks import join_ranks, started_by_torchrun
from ..model.runtime import choose_device
from .graph import build_graph
from .progress_display import progress_path
from .recipe import Recipe
from .run_node import follow, run_node
from .stage_task import StageTask, TaskFiles, outcome_of


def main(path: Path) -> None:
    """Work on the stage of a task file; every rank of it calls this."""
    _end_with_starter()
    task, rank = TaskFiles.read_task(path), int(os.environ.get("RANK", "0"))
    outcome = outcome_of(lambda: _work(task), Store(task.root).partial_root)
    if rank == 0 or outcome.error is not None:
        task.files.write_outcome(outcome, rank)
    if outcome.error is not None:
        print(outcome.error, file=sys.stderr, flush=True)
        # At once: leaving a group in order would wait for ranks that wait for this one.
        os._exit(2 if outcome.bad_input else 1)


def _work(task: StageTask) -> float | None:
    recipe = Recipe.parse(task.recipe, "recipe")
    ranks = join_ranks(choose_device(recipe.runtime.device) if started_by_torchrun() else None)
    graph = build_graph(recipe, Store(task.root))
    if not ranks.is_main:
        follow(graph, ranks)
        return None
    node = graph.nodes[task.node_id]
    with reported_to(progress_path(node, graph)):
        seconds = run_node(node, graph, task.patience)
    ranks.from_main(None)
    return seconds


def _end_with_starter() -> None:
    """End this process when the one that started it is gone; else it would keep its artifact's lock.

    Standard input is a pipe that nobody writes to. It closes with the starter, also below torchrun.
    """

    def watch() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
