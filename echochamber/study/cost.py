"""What a study will cost: `--dry-run` lists its stages, which of them are done, and the time for the rest.

A stage's cost is an estimate in seconds on a reference machine (nano-0.8m, one process, two cores of a
recent x86-64 server). It is scaled by finished stages of the same folder that are most alike, else by a
few seconds of training and sampling on this machine. So the constants only matter relative to each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..core.artifacts import Store
from ..data.hub import HUB_SETS
from .graph import build_graph
from .price import price_lines
from .recipe import Recipe
from .sittings import read_seconds
from .stage_estimates import (
    SAMPLE_TOKENS_PER_S,
    TRAIN_TOKENS_PER_S,
    Cost,
    estimate_cost,
    estimate_seconds,
    relative_size,
)
from .stage_graph import StageGraph, StageNode

SCALED = ("shards", "pretrain", "rl", "evaluate", "probe")
"""Kinds whose time grows with their work; the others take seconds."""

Likeness = tuple[str, ...]
"""(kind, size, detail) or a beginning of it; () stands for all stages."""


class Timed(NamedTuple):
    """A finished stage."""

    alike: Sequence[Likeness]
    """From the most to the least specific."""
    estimated: float
    """Seconds on the reference machine."""
    taken: float


class Rates:
    """Seconds taken per second estimated, by likeness."""

    def __init__(self, finished: Iterable[Timed]) -> None:
        self.count, sums = 0, dict[Likeness, tuple[float, float]]()
        for stage in finished:
            self.count += 1
            for key in stage.alike:
                taken, estimated = sums.get(key, (0.0, 0.0))
                sums[key] = taken + stage.taken, estimated + stage.estimated
        self.ratios = {key: taken / estimated for key, (taken, estimated) in sums.items() if estimated > 0}

    def ratio(self, alike: Sequence[Likeness]) -> float | None:
        """That of the most similar finished stages; None without any."""
        return next((self.ratios[key] for key in alike if key in self.ratios), None)


def describe_plan(recipe: Recipe, out: Path, workers: int = 1) -> str:
    """One line per stage, done (with its time) or to do (with its cost), then the time that all will take."""
    recipe, unnamed = with_any_commits(recipe)
    graph = build_graph(recipe, Store(out / "artifacts"))
    scope = f", scope {recipe.scope}" if recipe.scope else ""
    lines = [f"{recipe.name}{scope}: {len(graph.nodes)} stages in {out}"]
    costs, source = stage_costs(graph)
    for node in graph.nodes.values():
        if node.id in costs:
            started = " (started)" if graph.store.partial(node.spec).is_dir() else ""
            state = f"to do, about {costs[node.id]:.0f} s{started}"
        else:
            seconds = read_seconds(graph.store.path(node.spec))
            state = "done" + (f" in {seconds:.0f} s" if seconds is not None else "")
        lines.append(f"  {node.id:52} {node.spec.fingerprint}  {state}")
    minutes = wall_seconds(graph, costs, workers) / 60
    how = "one stage at a time" if workers == 1 else f"{workers} stages at a time"
    if unnamed:
        lines.append(
            f"no commit is named for {', '.join(unnamed)}: the study will ask for hub.revisions or "
            "hub.folder, and fingerprints will be others"
        )
    lines += price_lines(graph)
    return "\n".join([*lines, f"estimated time to go: {minutes:.1f} minutes, {how} ({source})"])


def with_any_commits(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe with a stand-in for commits that nobody named, so that it can be planned; and their sets."""
    hub = recipe.hub
    sources = [source for mixture in recipe.mixtures.values() for source in mixture.sources.values()]
    unnamed = {
        source.hub
        for source in sources
        if source.hub in HUB_SETS and not (source.revision or HUB_SETS[source.hub].revision)
    } - set(hub.revisions)
    if hub.folder is not None or not unnamed:
        return recipe, []
    named = hub.model_copy(update={"revisions": hub.revisions | dict.fromkeys(sorted(unnamed), "0" * 40)})
    return recipe.model_copy(update={"hub": named}), sorted(unnamed)


def stage_costs(graph: StageGraph) -> tuple[dict[str, float], str]:
    """(stage id -> estimated seconds of every stage to do, where the rates come from)."""
    recipe, rates = graph.recipe, measured_rates(graph)
    to_do = [node for node in graph.nodes.values() if not graph.store.has(node.spec)]
    factors, source = machine_factors(graph, rates) if to_do else (Cost(), "nothing is to do")
    costs: dict[str, float] = {}
    for node in to_do:
        cost, ratio = estimate_cost(node, recipe), rates.ratio(alike(node, recipe))
        costs[node.id] = cost.total() * ratio if ratio else cost.total(factors)
    return costs, source


def wall_seconds(graph: StageGraph, costs: Mapping[str, float], workers: int) -> float:
    """Wall time with so many workers, each taking the next stage whose parents are done.

    Equal stages (of one artifact) cost once, as they run once.
    """
    ended: dict[str, float] = {}
    artifacts: dict[str, float] = {}
    free = [0.0] * workers
    waiting = [node for node in graph.nodes.values() if node.id in costs]
    while waiting:
        left = {node.id for node in waiting}
        ready = [
            (max((ended.get(parent, 0.0) for parent in node.parents), default=0.0), index)
            for index, node in enumerate(waiting)
            if not left & set(node.parents)
        ]
        worker = min(range(workers), key=lambda number: free[number])
        # The first in order that can start once the worker is free, else the one that can start soonest.
        start, index = next((pair for pair in ready if pair[0] <= free[worker]), min(ready))
        node = waiting.pop(index)
        if node.spec.name not in artifacts:
            free[worker] = artifacts[node.spec.name] = max(start, free[worker]) + costs[node.id]
        ended[node.id] = artifacts[node.spec.name]
    return max(ended.values(), default=0.0)


def measured_rates(graph: StageGraph) -> Rates:
    """What the finished stages of this graph took, against their estimates."""
    done = [node for node in graph.nodes.values() if node.kind in SCALED and graph.store.has(node.spec)]
    taken = [(node, read_seconds(graph.store.path(node.spec))) for node in done]
    recipe = graph.recipe
    return Rates(
        Timed(alike(node, recipe), estimate_seconds(node, recipe), seconds)
        for node, seconds in taken
        if seconds is not None
    )


def alike(node: StageNode, recipe: Recipe) -> list[Likeness]:
    """What a stage is compared with, from the most similar to any."""
    detail = node.evaluation or ""
    if node.kind == "rl":
        arm = recipe.rl[node.arm or ""]
        detail = f"{arm.algorithm} on {arm.problems.set}"
    elif node.kind == "evaluate":
        detail += " of a base" if node.arm is None else " of checkpoints"
    return [(node.kind, node.size or "", detail), (node.kind, node.size or ""), (node.kind,), ()]


def machine_factors(graph: StageGraph, rates: Rates) -> tuple[Cost, str]:
    """(factors on the reference machine's seconds, where they come from); 1 with finished stages."""
    if rates.count:
        stages = "stage" if rates.count == 1 else "stages"
        return Cost(), f"by the times of {rates.count} finished {stages} here"
    from ..rollout.speed import measure_speed

    size, vocab_size = graph.recipe.sizes[0], graph.recipe.tokenizer.vocab_size
    speed = measure_speed(size, vocab_size, graph.recipe.runtime)  # of a given base too: it is scaled by size
    if speed is None:
        return Cost(), "by the rates of the reference machine, two cores"
    larger = relative_size(size, vocab_size)
    train, sample = TRAIN_TOKENS_PER_S / larger / speed.train, SAMPLE_TOKENS_PER_S / larger / speed.sample
    rate = f"{speed.train:,.0f} training and {speed.sample:,.0f} sampled tokens/s of {size}"
    return Cost(train=train, sample=sample, prepare=train), f"by {rate}, just timed here"
