"""The mixture plan: what each source was asked for and what it gives, in documents and tokens."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UserError
from ..core.random import generator, key
from .pool import EncodeBatch, Pool
from .source_config import MixtureConfig, NoiseConfig, SourceConfig, mixture_from_name
from .sources import open_source
from .world import WorldConfig

DEFAULT_DOCUMENTS = 20_000
"""Size of one copy where neither `documents` nor a budget says it."""
_SAMPLE = 1024
"""Documents by which mean lengths are estimated."""


@dataclass
class SourcePlan:
    """One source's line of the plan. Tokens include each document's end-of-text token."""

    name: str
    asked: str
    """What the recipe says: `copies 4` or `share 0.2 of tokens`."""
    tokens_asked: int
    documents_available: int
    tokens_available: int
    solution_tokens_available: int
    documents_obtained: int
    tokens_obtained: int
    solution_tokens_obtained: int
    passes: float
    share_of_tokens: float
    fingerprint: str
    note: str = ""


@dataclass
class MixturePlan:
    """A measured mixture; `write_shards` turns it into files."""

    config: MixtureConfig
    seed: int
    prompt_suffix: str
    sources: list[SourcePlan]
    pools: list[Pool] = field(repr=False)
    chosen: list[np.ndarray] = field(repr=False)
    """Per source, the document numbers that are written, with repeats."""

    @property
    def num_documents(self) -> int:
        """Documents over all sources."""
        return sum(source.documents_obtained for source in self.sources)

    @property
    def num_tokens(self) -> int:
        """Tokens over all sources, end-of-text included."""
        return sum(source.tokens_obtained for source in self.sources)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "config": self.config.resolved(),
            "seed": self.seed,
            "prompt_suffix": self.prompt_suffix,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "sources": [asdict(source) for source in self.sources],
        }

    def table(self) -> str:
        """The plan as text for a terminal."""
        return plan_table(self.to_json())


def plan_table(plan: Mapping[str, Any]) -> str:
    """A plan's JSON as aligned text, one line per source."""
    head = ("source", "asked", "available", "documents", "tokens", "solution", "share", "passes", "fingerprint")
    rows = [
        (
            item["name"], item["asked"], f"{item['documents_available']:,}", f"{item['documents_obtained']:,}",
            f"{item['tokens_obtained']:,}", f"{item['solution_tokens_obtained']:,}", f"{item['share_of_tokens']:.3f}",
            f"{item['passes']:.2f}", item["fingerprint"] + (f"  {item['note']}" if item["note"] else ""),
        )
        for item in plan["sources"]
    ]  # fmt: skip
    rows.append(("all", "", "", f"{plan['num_documents']:,}", f"{plan['num_tokens']:,}", "", "", "", ""))
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    aligned = [
        "  ".join(cell.ljust(width) if i in (0, 1, 8) else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in aligned)


def plan_mixture(
    mixture: MixtureConfig, world: WorldConfig, seed: int, encode_batch: EncodeBatch, prompt_suffix: str = "\n\n",
    spool_folder: Path | None = None,
) -> MixturePlan:  # fmt: skip
    """Draw, encode and measure every source, and decide which documents are written.

    - copies without a budget: `documents` (or 20,000) of each, repeated so often;
    - copies with a budget: one copy is made as large as fills the budget, sources with a size of
      their own (`documents`, real rows) keeping it;
    - share: that part of the budget, or of what the copies come to, capped by `max_passes`.
    """
    names = list(mixture.sources)
    pools = [
        Pool(open_source(name, mixture.sources[name], world, key("source", seed, name) % 2**32), encode_batch, prompt_suffix, spool_folder)
        for name in names
    ]
    configs = [mixture.sources[name] for name in names]
    sizes = _copy_sizes(configs, pools, mixture)
    chosen: list[np.ndarray] = []
    for name, config, size in zip(names, configs, sizes, strict=True):
        chosen.append(_copies(config.wanted_copies, size, seed, name) if config.share is None else np.zeros(0, np.int64))
    asked = _share_targets(configs, pools, chosen, mixture)
    notes = [""] * len(names)
    for place, config in enumerate(configs):
        if config.share is not None:
            chosen[place], notes[place] = _fill(config, pools[place], asked[place], seed, names[place])
    total = sum(_sum_lengths(pool.lengths, picks) for pool, picks in zip(pools, chosen, strict=True))
    lines = [
        _line(name, config, pool, picks, ask, total, note)
        for name, config, pool, picks, ask, note in zip(names, configs, pools, chosen, asked, notes, strict=True)
    ]
    return MixturePlan(mixture, seed, prompt_suffix, lines, pools, chosen)


def _own_size(config: SourceConfig, pool: Pool) -> int | None:
    """Documents of one copy where the source says it itself."""
    if config.documents is not None:
        found = pool.grow_to(config.documents)
        if found < config.documents:
            raise UserError(f"source {pool.source.name!r}: documents is {config.documents}, but there are only {found}")
        return found
    if pool.source.limited:
        pool.grow_to(2**62)
        return len(pool)
    return None


def _copy_sizes(configs: list[SourceConfig], pools: list[Pool], mixture: MixtureConfig) -> list[int]:
    """Documents in one copy of each source with `copies`; 0 for the others."""
    sizes = [_own_size(config, pool) if config.share is None else 0 for config, pool in zip(configs, pools, strict=True)]
    open_places = [place for place, size in enumerate(sizes) if size is None]
    if not open_places:
        return [size or 0 for size in sizes]
    if mixture.budget_tokens is None:
        common = DEFAULT_DOCUMENTS
        for place in open_places:
            pools[place].grow_to(common)
    else:
        free = 1.0 - sum(config.share or 0.0 for config in configs)
        fixed = sum(
            config.wanted_copies * pool.cumulative()[size]
            for config, pool, size in zip(configs, pools, sizes, strict=True)
            if size
        )
        common = _common_size([(configs[p].wanted_copies, pools[p]) for p in open_places], free * mixture.budget_tokens - fixed)
    return [common if size is None else size for size in sizes]


def _common_size(sources: list[tuple[float, Pool]], tokens: float) -> int:
    """The largest number of documents per copy whose copies together fit into `tokens`."""
    for _, pool in sources:
        pool.grow_to(_SAMPLE)
    per_document = sum(copies * pool.cumulative()[-1] / len(pool) for copies, pool in sources)
    guess = int(1.03 * tokens / per_document) + 64
    if tokens < per_document:
        raise UserError(f"mixture: budget_tokens leaves {max(0, int(tokens)):,} tokens for sources that need {int(per_document):,} for one document each; raise it")
    for _, pool in sources:
        pool.grow_to(guess)
    together = sum(copies * pool.cumulative()[: guess + 1] for copies, pool in sources)
    return max(1, int(np.searchsorted(together, tokens, side="right")) - 1)


def _copies(copies: float, size: int, seed: int, name: str) -> np.ndarray:
    """Document numbers of so many copies; the fractional one is a seeded subset, exact to a document."""
    whole = int(copies)
    part = round((copies - whole) * size)
    extra = np.sort(generator("fraction", seed, name).permutation(size)[:part])
    return np.concatenate([np.tile(np.arange(size), whole), extra]).astype(np.int64)


def _sum_lengths(lengths: Any, picks: np.ndarray) -> int:
    return int(np.frombuffer(lengths, dtype=np.uint32)[picks].sum(dtype=np.int64)) if len(picks) else 0


def _share_targets(
    configs: list[SourceConfig], pools: list[Pool], chosen: list[np.ndarray], mixture: MixtureConfig
) -> list[int]:
    """What each source with a share is asked for in its unit; tokens of the others."""
    asked = [_sum_lengths(pool.lengths, picks) for pool, picks in zip(pools, chosen, strict=True)]
    places = [place for place, config in enumerate(configs) if config.share is not None]
    if not places:
        return asked
    shares = sum(configs[place].share or 0.0 for place in places)
    if configs[places[0]].unit == "documents":
        total = _total_documents(configs, pools, chosen, mixture, places, shares)
    elif mixture.budget_tokens is not None:
        total = float(mixture.budget_tokens)
    else:
        total = sum(asked) / (1.0 - shares)
    for place in places:
        asked[place] = round((configs[place].share or 0.0) * total)
    return asked


def _total_documents(
    configs: list[SourceConfig], pools: list[Pool], chosen: list[np.ndarray], mixture: MixtureConfig, places: list[int], shares: float
) -> float:  # fmt: skip
    """Documents of the whole mixture: from the copies, else from the budget and mean lengths."""
    copied = sum(len(picks) for picks in chosen)
    if copied:
        return copied / (1.0 - shares)
    assert mixture.budget_tokens is not None
    mean = 0.0
    for place in places:
        pools[place].grow_to(_SAMPLE)
        mean += (configs[place].share or 0.0) * pools[place].cumulative()[-1] / len(pools[place])
    return mixture.budget_tokens / mean


def _fill(config: SourceConfig, pool: Pool, asked: int, seed: int, name: str) -> tuple[np.ndarray, str]:
    """Documents until `asked` tokens or documents are reached, repeating a limited source up to its cap."""
    in_tokens = config.unit == "tokens"
    size = _own_size(config, pool)
    if size is None:
        if in_tokens:
            pool.grow_to_tokens(asked)
        else:
            pool.grow_to(asked)
        size = len(pool)
    cumulative = pool.cumulative()[: size + 1] if in_tokens else np.arange(size + 1)
    passes = min(asked / cumulative[-1], config.max_passes)
    whole = int(passes)
    # The nearest document to what is left after whole passes.
    rest = min(asked, config.max_passes * cumulative[-1]) - whole * cumulative[-1]
    order = generator("order", seed, name).permutation(size) if whole else np.arange(size)
    steps = np.concatenate([[0], np.cumsum(np.diff(cumulative)[order])])
    part = int(np.abs(steps - rest).argmin())
    note = f"capped at {config.max_passes:g} passes" if asked > config.max_passes * cumulative[-1] else ""
    return np.concatenate([np.tile(np.arange(size), whole), order[:part]]).astype(np.int64), note


def _line(
    name: str, config: SourceConfig, pool: Pool, picks: np.ndarray, asked: int, total: int, note: str
) -> SourcePlan:  # fmt: skip
    size = int(picks.max()) + 1 if len(picks) else 0
    lengths = np.frombuffer(pool.lengths, dtype=np.uint32).astype(np.int64)
    solutions = lengths - np.frombuffer(pool.prompt_lengths, dtype=np.uint32)
    tokens = int(lengths[picks].sum())
    tokens_asked = asked if config.share is None or config.unit == "tokens" else tokens
    return SourcePlan(
        name=name,
        asked=f"copies {config.wanted_copies:g}" if config.share is None else f"share {config.share:g} of {config.unit}",
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
        note=note,
    )


__all__ = [
    "MixtureConfig", "MixturePlan", "NoiseConfig", "SourceConfig", "SourcePlan", "mixture_from_name", "plan_mixture", "plan_table",
]  # fmt: skip
