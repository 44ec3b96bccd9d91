"""How many documents each source gives: copies, shares, budgets and the repetition cap."""

from collections.abc import Sequence

import numpy as np

from ..core.errors import UserError
from ..core.random import generator
from .document_pool import DocumentPool
from .source_config import MixtureConfig, SourceConfig

DEFAULT_DOCUMENTS = 20_000
"""Size of one copy where neither `documents` nor a budget says it."""
_SAMPLE = 1024
"""Documents by which mean lengths are estimated."""


def own_size(config: SourceConfig, pool: DocumentPool) -> int | None:
    """Documents of one copy where the source says it itself."""
    if config.documents is not None:
        found = pool.grow_to(config.documents)
        if found < config.documents:
            raise UserError(
                f"source {pool.source.name!r}: documents is {config.documents}, but there are only {found}"
            )
        return found
    if pool.source.limited:
        pool.grow_to(2**62)
        return len(pool)
    return None


def copy_sizes(configs: list[SourceConfig], pools: list[DocumentPool], mixture: MixtureConfig) -> list[int]:
    """Documents in one copy of each source with `copies`; 0 for the others."""
    sizes = [
        own_size(config, pool) if config.share is None else 0
        for config, pool in zip(configs, pools, strict=True)
    ]
    open_indices = [index for index, size in enumerate(sizes) if size is None]
    if not open_indices:
        return [size or 0 for size in sizes]
    if mixture.budget_tokens is None:
        common = DEFAULT_DOCUMENTS
        for index in open_indices:
            pools[index].grow_to(common)
    else:
        free = 1.0 - sum(config.share or 0.0 for config in configs)
        fixed = sum(
            config.wanted_copies * pool.cumulative()[size]
            for config, pool, size in zip(configs, pools, sizes, strict=True)
            if size
        )
        common = _common_size(
            [(configs[p].wanted_copies, pools[p]) for p in open_indices], free * mixture.budget_tokens - fixed
        )
    return [common if size is None else size for size in sizes]


def _common_size(sources: list[tuple[float, DocumentPool]], tokens: float) -> int:
    """The largest number of documents per copy whose copies together fit into `tokens`."""
    for _, pool in sources:
        pool.grow_to(_SAMPLE)
    per_document = sum(copies * pool.cumulative()[-1] / len(pool) for copies, pool in sources)
    guess = int(1.03 * tokens / per_document) + 64
    if tokens < per_document:
        raise UserError(
            f"mixture: budget_tokens leaves {max(0, int(tokens)):,} tokens for sources that need "
            f"{int(per_document):,} for one document each; raise it"
        )
    for _, pool in sources:
        pool.grow_to(guess)
    together = sum(copies * pool.cumulative()[: guess + 1] for copies, pool in sources)
    return max(1, int(np.searchsorted(together, tokens, side="right")) - 1)


def copies_of(copies: float, size: int, seed: int, name: str) -> np.ndarray:
    """Document numbers of so many copies; the fractional one is a seeded subset, exact to a document."""
    whole = int(copies)
    part = round((copies - whole) * size)
    extra = np.sort(generator("fraction", seed, name).permutation(size)[:part])
    return np.concatenate([np.tile(np.arange(size), whole), extra]).astype(np.int64)


def sum_lengths(lengths: Sequence[int], picks: np.ndarray) -> int:
    """Tokens of the chosen documents, repeats counted; `lengths` is an array of 32-bit numbers."""
    return int(np.asarray(lengths, dtype=np.uint32)[picks].sum(dtype=np.int64)) if len(picks) else 0


def share_targets(
    configs: list[SourceConfig], pools: list[DocumentPool], chosen: list[np.ndarray], mixture: MixtureConfig
) -> list[int]:
    """What each source with a share is asked for in its unit; tokens of the others."""
    asked = [sum_lengths(pool.lengths, picks) for pool, picks in zip(pools, chosen, strict=True)]
    indices = [index for index, config in enumerate(configs) if config.share is not None]
    if not indices:
        return asked
    shares = sum(configs[index].share or 0.0 for index in indices)
    if configs[indices[0]].unit == "documents":
        total = _total_documents(configs, pools, chosen, mixture, indices, shares)
    elif mixture.budget_tokens is not None:
        total = float(mixture.budget_tokens)
    else:
        total = sum(asked) / (1.0 - shares)
    for index in indices:
        asked[index] = round((configs[index].share or 0.0) * total)
    return asked


def _total_documents(
    configs: list[SourceConfig],
    pools: list[DocumentPool],
    chosen: list[np.ndarray],
    mixture: MixtureConfig,
    indices: list[int],
    shares: float,
) -> float:
    """Documents of the whole mixture: from the copies, else from the budget and mean lengths."""
    copied = sum(len(picks) for picks in chosen)
    if copied:
        return copied / (1.0 - shares)
    assert mixture.budget_tokens is not None
    mean = 0.0
    for index in indices:
        pools[index].grow_to(_SAMPLE)
        mean += (configs[index].share or 0.0) * pools[index].cumulative()[-1] / len(pools[index])
    return mixture.budget_tokens / mean


def fill(
    config: SourceConfig, pool: DocumentPool, asked: int, seed: int, name: str
) -> tuple[np.ndarray, str]:
    """Documents until `asked` tokens or documents are reached, repeating a limited source up to its cap."""
    in_tokens = config.unit == "tokens"
    size = own_size(config, pool)
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
