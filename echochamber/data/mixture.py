"""The mixture: every source opened, measured, and told what it gives."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path

import numpy as np

from ..core.keys import key
from ..core.types import Problem
from .allocate import DEFAULT_DOCUMENTS, copies_of, copy_sizes, fill, share_targets, sum_lengths
from .contamination import ContaminationChecker, refuse_contaminated
from .document_pool import DocumentPool, EncodeBatch
from .hub import THE_HUB, HubConfig
from .local_sources import RowSource
from .plan import MixturePlan, SourcePlan, plan_table
from .registered_sources import is_registered, open_registered
from .source_config import CoverageConfig, MixtureConfig, NoiseConfig, SourceConfig, mixture_from_name
from .sources import Document, Source, WorldSource, open_generated
from .training_questions import TRAIN_QUESTIONS, Reservoir, mixed_questions
from .world import WorldConfig


def open_source(
    name: str, config: SourceConfig, world: WorldConfig, seed: int, hub: HubConfig = THE_HUB
) -> Source:
    """The source that a recipe names: real rows (path or hub), a user's registered source, else generated."""
    if config.path or config.hub:
        return RowSource(name, config, hub)
    if is_registered(name, config):
        return open_registered(name, config, seed)
    return open_generated(name, config, world, seed)


def open_sources(
    mixture: MixtureConfig, world: WorldConfig, seed: int, hub: HubConfig = THE_HUB
) -> list[Source]:
    """All sources of a mixture, each with a seed of its own."""
    return [
        open_source(name, config, world, key("source", seed, name) % 2**32, hub)
        for name, config in mixture.sources.items()
    ]


def drawn_questions(mixture: MixtureConfig, world: WorldConfig, seed: int) -> list[Problem]:
    """A sample of the questions of a mixture's generated sources: equally many first documents of each."""
    found: list[Document] = []
    sources = [source for source in open_sources(mixture, world, seed) if isinstance(source, WorldSource)]
    for source in sources:
        part = -(-TRAIN_QUESTIONS // len(sources))
        found += islice(source.documents(), min(part, source.config.documents or part))
    return mixed_questions(found, seed)


def plan_mixture(
    mixture: MixtureConfig,
    world: WorldConfig,
    seed: int,
    encode_batch: EncodeBatch,
    prompt_suffix: str = "\n\n",
    *,
    against: Mapping[str, Sequence[Problem]] | None = None,
    executor: Executor | None = None,
    spool_folder: Path | None = None,
    hub: HubConfig = THE_HUB,
) -> MixturePlan:
    """Draw, encode and measure every source, and decide which documents are written.

    - copies without a budget: `documents` (or 20,000) of each, repeated so often;
    - copies with a budget: one copy is made as large as fills the budget, sources with a size of
      their own (`documents`, real rows) keeping it;
    - share: that part of the budget, or of what the copies come to, capped by `max_passes`.

    `against` holds the evaluation sets; a source that overlaps one by more than the mixture's
    `max_contamination` is refused, or its overlapping documents are left out (`on_contamination`).
    `executor` draws generated documents in its workers; the result is the same without one.
    `spool_folder` is where token ids wait on disk (default: the system's).
    `hub`: where sets of the hub lie.
    """
    names, configs = list(mixture.sources), list(mixture.sources.values())
    pools = [
        DocumentPool(
            source,
            encode_batch,
            prompt_suffix,
            checker=ContaminationChecker(against or {}),
            drop=mixture.drops,
            reservoir=Reservoir(seed=seed) if against else None,
            executor=executor,
            spool_folder=spool_folder,
        )
        for source in open_sources(mixture, world, seed, hub)
    ]
    sizes = copy_sizes(configs, pools, mixture)
    chosen = [
        copies_of(config.wanted_copies, size, seed, name) if config.share is None else np.zeros(0, np.int64)
        for name, config, size in zip(names, configs, sizes, strict=True)
    ]
    asked = share_targets(configs, pools, chosen, mixture)
    notes = [""] * len(names)
    for index, config in enumerate(configs):
        if config.share is not None:
            chosen[index], notes[index] = fill(config, pools[index], asked[index], seed, names[index])
    for name, pool in zip(names, pools, strict=True) if not mixture.drops else ():
        refuse_contaminated(name, pool.checker.overlaps.values(), mixture.max_contamination)
    total = sum(sum_lengths(pool.lengths, picks) for pool, picks in zip(pools, chosen, strict=True))
    lines = [
        _line(name, config, pool, size, picks, ask, total, note)
        for name, config, pool, size, picks, ask, note in zip(
            names, configs, pools, sizes, chosen, asked, notes, strict=True
        )
    ]
    return MixturePlan(mixture, seed, prompt_suffix, lines, pools, chosen)


def _line(
    name: str,
    config: SourceConfig,
    pool: DocumentPool,
    size: int,
    picks: np.ndarray,
    asked: int,
    total: int,
    note: str,
) -> SourcePlan:
    """A source's line of the plan."""
    size = size or (int(picks.max()) + 1 if len(picks) else 0)
    lengths = np.frombuffer(pool.lengths, dtype=np.uint32).astype(np.int64)
    solutions = lengths - np.frombuffer(pool.prompt_lengths, dtype=np.uint32)
    tokens = int(lengths[picks].sum())
    tokens_asked = asked if config.share is None or config.unit == "tokens" else tokens
    return SourcePlan(
        name=name,
        asked=f"copies {config.wanted_copies:g}"
        if config.share is None
        else f"share {config.share:g} of {config.unit}",
        tokens_asked=tokens_asked,
        documents_available=size,
        tokens_available=int(lengths[:size].sum()),
        solution_tokens_available=int(solutions[:size].sum()),
        documents_obtained=len(picks),
        tokens_obtained=tokens,
        solution_tokens_obtained=int(solutions[picks].sum()),
        passes=len(picks) / size if size else 0.0,
        share_of_tokens=tokens / total if total else 0.0,
        fingerprint=pool.fingerprint(size),
        note=", ".join(part for part in (note, pool.note) if part),
        contamination=[overlap.to_json(pool.drop) for overlap in pool.checker.overlaps.values()],
    )


__all__ = [
    "DEFAULT_DOCUMENTS",
    "CoverageConfig",
    "MixtureConfig",
    "MixturePlan",
    "NoiseConfig",
    "SourceConfig",
    "SourcePlan",
    "drawn_questions",
    "mixture_from_name",
    "open_source",
    "plan_mixture",
    "plan_table",
]
