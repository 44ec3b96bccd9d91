"""One stage of a graph, built in this process."""

from dataclasses import replace
from pathlib import Path

from ..core.progress import be_quiet
from ..core.storage import storage_errors_named
from ..model.ranks import Ranks
from ..model.runtime import start_runtime
from ..rollout.engine_names import engine_remarks
from ..verify.behaviours import extra_behaviours
from .launch import LAUNCHED
from .sittings import read_seconds, sitting
from .stage_graph import StageGraph, StageNode

SHARED = LAUNCHED
"""Stages that all ranks work on. Rank 0 runs the others alone while the rest wait."""

SAMPLING = ("rl", "evaluate", "probe")
"""Stages that draw completions."""


def run_node(node: StageNode, graph: StageGraph, patience: float = 0.0) -> float | None:
    """Build one artifact; returns its wall seconds over all sittings.

    Where several ranks work, this is rank 0: it owns the folder. The others write nothing into it but chunks
    of an evaluation or probe.
    `patience`: seconds to wait for another process that holds the artifact's lock.
    """
    with storage_errors_named(graph.store.partial(node.spec)):  # of libraries that are loaded here, too
        return _run(node, graph, patience)


def _run(node: StageNode, graph: StageGraph, patience: float) -> float | None:
    runtime = start_runtime(graph.recipe.runtime, graph.recipe.resume.settings)
    seeds = {"seed": node.seed} if node.seed is not None else {}

    def write(folder: Path) -> None:
        # The others are waiting for a shared stage and answer nothing else.
        mine = runtime if node.kind in SHARED else replace(runtime, ranks=Ranks())
        with sitting(folder), extra_behaviours(graph.recipe.behaviours_of(node.mixture)):
            mine.ranks.from_main([node.id, str(folder)])
            node.run(folder, mine)

    remarks = engine_remarks(graph.recipe.runtime) if _samples(node) else {}
    return read_seconds(graph.store.build(node.spec, write, seeds, patience, remarks))


def _samples(node: StageNode) -> bool:
    """Whether a stage draws completions; an arm on demonstrations reads them from a file."""
    return node.kind in SAMPLING and "completions" not in node.spec.inputs


def follow(graph: StageGraph, ranks: Ranks) -> None:
    """Work on the shared stages that rank 0 names, until it names no more."""
    be_quiet()
    while stage := ranks.from_main(None):
        node_id, folder = stage
        node = graph.nodes[node_id]
        with extra_behaviours(graph.recipe.behaviours_of(node.mixture)):
            node.run(Path(folder), start_runtime(graph.recipe.runtime, graph.recipe.resume.settings))
