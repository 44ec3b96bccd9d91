"""Stages that search training sources for problem sets which no earlier stage of theirs was compared with.

`evaluate.sets` are searched for where a source is tokenized. Sets that only a further evaluation has
(`also_evaluate`) are searched for here, so that naming one more of them trains nothing anew. Training
waits for these stages; its fingerprint has nothing of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec
from ..data.registered_sources import is_registered
from ..data.source_config import MixtureConfig, SourceConfig
from ..rl.config import RLProblems
from ..stages.settings import CONTAMINATION_VERSION, OVERLAPS_VERSION
from .data_stages import add_problems, comes_from_outside, outside_sets, source_inputs
from .stage_graph import StageGraph, StageNode
from .stage_inputs import is_world_set

if TYPE_CHECKING:
    from ..model.runtime import Runtime


def further_sets(graph: StageGraph, tests: dict[str, str]) -> dict[str, str]:
    """Label -> id of the problem sets of `also_evaluate` that can be searched for and are not in `tests`.

    Rules of `also_evaluate` do not matter: one more arm would otherwise change what is searched.
    """
    found: dict[str, str] = {}
    for settings in graph.recipe.also_evaluate.values():
        for name in settings.sets:
            if is_world_set(name):
                continue
            id = add_problems(graph, name, settings.split, settings.count)
            if id not in (*tests.values(), *found.values()):
                found[name if name not in tests and name not in found else id.removeprefix("problems/")] = id
    return found


def searched_sets(graph: StageGraph, mixture: str, tests: dict[str, str]) -> dict[str, str]:
    """The sets that a mixture's documents are compared with where they are tokenized.

    What is dropped must be known there, so all evaluations count where documents are dropped.
    """
    config = graph.recipe.mixtures[mixture]
    drops = config.drops and comes_from_outside(config)
    return tests | (further_sets(graph, tests) if drops else {})


def add_contamination(graph: StageGraph, mixture: str, shards: str, tests: dict[str, str]) -> str | None:
    """The search of a mixture's sources from outside in further sets; None where there is none."""
    recipe, config = graph.recipe, graph.recipe.mixtures[mixture]
    real = {name: source for name, source in config.sources.items() if source.path or source.hub}
    own = [name for name, source in config.sources.items() if is_registered(name, source)]
    if config.drops or not (real or own):
        return None
    sets = further_sets(graph, tests)
    if not sets:
        return None
    searched = {name: _add_overlaps(graph, name, source, sets) for name, source in real.items()}
    roles = {f"source/{name}": node for name, node in searched.items()}
    if own:
        roles |= sets | {"shards": shards}
    settings: dict[str, object] = {"max_contamination": config.max_contamination, "own_sources": own}
    spec = Spec(
        "contamination",
        settings,
        CONTAMINATION_VERSION,
        graph.fingerprints(**roles),
        graph.modules if own else {},
    )

    def run(folder: Path, _: "Runtime") -> None:
        from ..stages import check_contamination as stage

        rows = {name: graph.folder(node) for name, node in searched.items()}
        against = stage.read_sets({label: graph.folder(node) for label, node in sets.items()}) if own else {}
        drawn = stage.DrawnSources(
            own, graph.folder(shards), recipe.world, recipe.fixed_data_seed, recipe.hub
        )
        stage.check_mixture(config, rows, drawn, against, folder)

    id = f"contamination/{mixture}{graph.data_label}"
    return graph.add(StageNode(id, spec, tuple(roles.values()), run, mixture))


def _add_overlaps(graph: StageGraph, name: str, source: SourceConfig, sets: dict[str, str]) -> str:
    """The search of one source, which all mixtures with it share."""
    recipe = graph.recipe
    settings: dict[str, object] = {"columns": source.columns, "on_bad_row": source.on_bad_row}
    inputs = source_inputs(graph, {"rows": source})
    spec = Spec("overlaps", settings, OVERLAPS_VERSION, graph.fingerprints(**sets), inputs)
    id = f"overlaps/{name}"
    if id in graph.nodes and graph.nodes[id].spec.fingerprint != spec.fingerprint:
        id = f"overlaps/{name}/{spec.fingerprint[:6]}"
    threshold = _loosest(name, list(recipe.mixtures.values()))

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..data.overlap_search import SearchedSource, search_source
        from ..stages import check_contamination as stage

        against = stage.read_sets({label: graph.folder(node) for label, node in sets.items()})
        search_source(SearchedSource(name, source, threshold, recipe.hub), against, folder, runtime.threads)

    return graph.add(StageNode(id, spec, tuple(sets.values()), run))


def add_training_check(
    graph: StageGraph, problems: str, config: RLProblems, tests: Sequence[str]
) -> str | None:
    """The search of RL's problems for those that are evaluated; None where one side is the world's."""
    evaluated = outside_sets(graph, tests)
    if is_world_set(config.set) or not evaluated:
        return None
    settings: dict[str, object] = {"max_overlap": config.max_overlap}
    roles = {"problems": problems} | evaluated
    spec = Spec("contamination", settings, CONTAMINATION_VERSION, graph.fingerprints(**roles))

    def run(folder: Path, _: "Runtime") -> None:
        from ..stages import check_training_problems as stage
        from ..stages.prepare import read_problems

        against = {label: read_problems(graph.folder(id)) for label, id in evaluated.items()}
        train = read_problems(graph.folder(problems))
        stage.check_training_problems(config.set, train, against, config.max_overlap, folder)

    id = f"contamination/{problems.removeprefix('problems/')}"
    if id in graph.nodes and graph.nodes[id].spec.fingerprint != spec.fingerprint:  # arms with other sets
        id = f"{id}/{spec.fingerprint[:6]}"
    return graph.add(StageNode(id, spec, tuple(roles.values()), run))


def _loosest(name: str, mixtures: list[MixtureConfig]) -> float:
    """Reading ends early only where every mixture would refuse the source."""
    return max(mixture.max_contamination for mixture in mixtures if name in mixture.sources)
