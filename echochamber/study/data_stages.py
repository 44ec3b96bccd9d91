"""Stages that prepare data: the tokenizer, problem sets, and a mixture's token shards."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec
from ..core.checksums import hash_file
from ..core.hash_cache import HashCache
from ..data.hub import HubConfig, hub_files
from ..data.registered_sources import is_registered
from ..data.source_config import MixtureConfig, SourceConfig
from ..stages.settings import (
    CHECKED_VERSION,
    INDEX_VERSION,
    SHARDS_VERSION,
    SOURCES,
    TOKENIZER_VERSION,
    TOKENS_VERSION,
)
from .recipe_sections import EvaluateRecipe
from .stage_graph import StageGraph, StageNode
from .stage_inputs import existing, existing_file, problem_source, world_settings

if TYPE_CHECKING:
    from ..model.runtime import Runtime


def add_tokenizer(graph: StageGraph) -> str:
    """The study's tokenizer; returns the stage's id, as all functions here do."""
    recipe = graph.recipe
    config, world = recipe.tokenizer, recipe.world
    settings, inputs = {"tokenizer": config.identity()} | world_settings(world), {}
    sources = _all_sources(recipe.mixtures) if config.corpus == SOURCES else {}
    if sources:
        settings |= {"suffix": recipe.suffix_of_documents} | {
            f"source/{name}": source.identity() for name, source in sources.items()
        }
        inputs = source_inputs(graph, sources)
    elif config.corpus != "reference":
        inputs = {"corpus": hash_file(existing_file(f"{existing(config.corpus)}/tokenizer.json"))}
    spec = Spec("tokenizer", settings, TOKENIZER_VERSION, inputs=inputs)

    def run(folder: Path, _: "Runtime") -> None:
        from ..stages.prepare import prepare_tokenizer

        prepare_tokenizer(config, world, folder, sources, recipe.suffix_of_documents, recipe.hub)

    return graph.add(StageNode("tokenizer", spec, (), run))


def add_problem_sets(graph: StageGraph, settings: EvaluateRecipe) -> dict[str, str]:
    """Problem set -> id of the stage that holds its problems."""
    return {name: add_problems(graph, name, settings.split, settings.count) for name in settings.sets}


def add_problems(graph: StageGraph, name: str, split: str, count: int) -> str:
    """One problem set."""
    source = problem_source(graph.recipe, name, split, count, graph.data_label)
    return graph.add(StageNode(source.id, source.spec, (), lambda folder, _: source.prepare(folder)))


def comes_from_outside(config: MixtureConfig) -> bool:
    """Whether a mixture has real rows or a user's own documents.

    The world's splits part by structure; only documents from outside can contain a test problem by accident.
    """
    return any(source.path or source.hub for source in config.sources.values()) or _uses_module(
        config.sources
    )


def add_shards(graph: StageGraph, mixture: str, tokenizer: str, tests: dict[str, str]) -> str:
    """Token shards of a mixture; `tests`: problem sets that no document of outside may contain.

    Where such documents are dropped, `tests` must hold the sets of all evaluations.
    """
    recipe, config = graph.recipe, graph.recipe.mixtures[mixture]
    if all(source.path or source.hub for source in config.sources.values()):
        return _add_index(graph, mixture, tokenizer, tests)
    checked = tests if comes_from_outside(config) else {}
    settings = {
        "mixture": config.identity(),
        "prompt_suffix": recipe.suffix_of_documents,
        "seed": recipe.fixed_data_seed,
    } | world_settings(recipe.world)
    settings |= {"checked": CHECKED_VERSION} if checked else {}
    spec = Spec(
        "shards",
        settings,
        SHARDS_VERSION,
        graph.fingerprints(tokenizer=tokenizer, **checked),
        source_inputs(graph, config.sources),
    )

    def run(folder: Path, _: "Runtime") -> None:
        from ..stages import prepare

        against = {name: prepare.read_problems(graph.folder(node)) for name, node in checked.items()}
        prepare.prepare_shards(
            config,
            recipe.world,
            recipe.suffix_of_documents,
            recipe.fixed_data_seed,
            graph.folder(tokenizer),
            folder,
            against,
            recipe.hub,
        )

    return graph.add(
        StageNode(f"shards/{mixture}{graph.data_label}", spec, (tokenizer, *checked.values()), run, mixture)
    )


def _add_index(graph: StageGraph, mixture: str, tokenizer: str, tests: dict[str, str]) -> str:
    """A mixture of real sources alone: an index over the token ids of each, which all mixtures share."""
    recipe, config = graph.recipe, graph.recipe.mixtures[mixture]
    sources = {
        name: _add_tokens(graph, name, source, tokenizer, tests, config.drops)
        for name, source in config.sources.items()
    }
    settings = {
        "mixture": config.identity(),
        "prompt_suffix": recipe.suffix_of_documents,
        "seed": recipe.fixed_data_seed,
        "index": INDEX_VERSION,
    } | world_settings(recipe.world)
    roles = {f"source/{name}": node for name, node in sources.items()}
    spec = Spec("shards", settings, SHARDS_VERSION, graph.fingerprints(**roles))

    def run(folder: Path, _: "Runtime") -> None:
        from ..stages.prepare import prepare_index

        folders = {name: graph.folder(node) for name, node in sources.items()}
        prepare_index(config, recipe.suffix_of_documents, recipe.fixed_data_seed, folders, folder)

    return graph.add(
        StageNode(f"shards/{mixture}{graph.data_label}", spec, tuple(sources.values()), run, mixture)
    )


def _add_tokens(
    graph: StageGraph, name: str, source: SourceConfig, tokenizer: str, tests: dict[str, str], drop: bool
) -> str:
    """The token ids of a source, by content, tokenizer, suffix and the sets that it is searched for.

    `drop`: documents with a problem of a set are left out.
    """
    recipe = graph.recipe
    settings: dict[str, object] = {
        "suffix": recipe.suffix_of_documents,
        "columns": source.columns,
        "on_bad_row": source.on_bad_row,
    }
    settings |= {"on_contamination": "drop"} if drop else {}
    parents = graph.fingerprints(tokenizer=tokenizer, **tests)
    spec = Spec("tokens", settings, TOKENS_VERSION, parents, source_inputs(graph, {"rows": source}))
    id = f"tokens/{name}"
    if id in graph.nodes and graph.nodes[id].spec.fingerprint != spec.fingerprint:
        id = f"tokens/{name}/{spec.fingerprint[:6]}"
    # Reading ends early only where every mixture would refuse the source.
    threshold = max(
        1.0 if mixture.drops else mixture.max_contamination
        for mixture in recipe.mixtures.values()
        if name in mixture.sources
    )

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..data.source_tokens import TokenSource
        from ..stages import prepare

        asked = TokenSource(name, source, recipe.suffix_of_documents, 0, 0, threshold, recipe.hub, drop)
        against = {label: prepare.read_problems(graph.folder(node)) for label, node in tests.items()}
        prepare.prepare_source(asked, graph.folder(tokenizer), folder, against, runtime.threads)

    return graph.add(StageNode(id, spec, (tokenizer, *tests.values()), run))


def _uses_module(sources: Mapping[str, SourceConfig]) -> bool:
    return any(is_registered(name, source) for name, source in sources.items())


def _all_sources(mixtures: Mapping[str, MixtureConfig]) -> dict[str, SourceConfig]:
    """The sources of all mixtures, each as the first mixture with it has it."""
    found: dict[str, SourceConfig] = {}
    for mixture in mixtures.values():
        found = dict(mixture.sources) | found
    return found


def source_inputs(graph: StageGraph, sources: Mapping[str, SourceConfig]) -> dict[str, str]:
    """Input name -> content hash (or hub commit) of everything from outside that sources read."""
    hashes, hub = HashCache(graph.store.root), graph.recipe.hub
    found = {}
    for name, source in sources.items():
        if source.path:
            found[name] = hashes.hash_path(existing(source.path))
        elif source.hub:
            found[name] = _hub_input(hub, source.hub, source.revision, hashes)
    return found | (graph.modules if _uses_module(sources) else {})


def _hub_input(hub: HubConfig, name: str, revision: str | None, hashes: HashCache) -> str:
    """A data set's commit, or the content of its local copy."""
    place = hub.place(name, revision)
    return (
        place.commit if place.folder is None else hashes.hash_files(hub_files(place, "train"), place.folder)
    )


def outside_sets(graph: StageGraph, ids: Iterable[str]) -> dict[str, str]:
    """Name -> id of those problem sets that are not the world's: files, and sets of the hub."""
    return {id.removeprefix("problems/"): id for id in ids if "problems" not in graph.nodes[id].spec.config}
