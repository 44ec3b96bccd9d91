"""A mixture of real sources as an index over their token ids: which documents, how often; no copy of any.

A sequence holds documents of one file in that file's seeded order, as the paper's data loader reads them.
Sources are mixed by the seeded order of sequences (`token_stream`).

index.json    per source: the artifact with its ids, and passes: documents of each part, how often
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core.errors import UserError
from ..core.files import write_json
from .plan import SourcePlan
from .source_config import MixtureConfig, SourceConfig
from .source_tokens import SourceTokens


class Pass(NamedTuple):
    """The first documents of each part, read so many times."""

    counts: list[int]
    times: int


@dataclass
class IndexPlan:
    """What a mixture takes of each source."""

    config: MixtureConfig
    seed: int
    prompt_suffix: str
    sources: list[SourcePlan]
    passes: list[list[Pass]]

    def to_json(self) -> dict[str, object]:
        """The plan as plain data, as that of other mixtures (`plan.MixturePlan`)."""
        return {
            "config": self.config.identity(),
            "seed": self.seed,
            "prompt_suffix": self.prompt_suffix,
            "num_documents": sum(line.documents_obtained for line in self.sources),
            "num_tokens": sum(line.tokens_obtained for line in self.sources),
            "sources": [asdict(line) for line in self.sources],
        }


def plan_index(
    mixture: MixtureConfig,
    seed: int,
    prompt_suffix: str,
    sources: Mapping[str, SourceTokens],
    fingerprints: Mapping[str, str],
) -> IndexPlan:
    """How often which documents of each source are read.

    A part of a copy, or `documents`, are the first ones of every file in equal share: files are shuffled.
    """
    names = list(mixture.sources)
    sizes = {name: _size(name, mixture.sources[name], sources[name]) for name in names}
    passes = {
        name: _copies(config.wanted_copies, sizes[name], sources[name])
        for name, config in mixture.sources.items()
        if config.share is None
    }
    taken = {name: _taken(sources[name], passes[name]) for name in passes}
    asked = _asked(mixture, sources, sizes, taken)
    notes = dict.fromkeys(names, "")
    for name, config in mixture.sources.items():
        if config.share is not None:
            passes[name], notes[name] = _share(config, sizes[name], asked[name], sources[name])
            taken[name] = _taken(sources[name], passes[name])
    total = sum(tokens for _, tokens, _ in taken.values())
    lines = [
        _line(
            name,
            mixture.sources[name],
            sources[name],
            sizes[name],
            taken[name],
            asked.get(name, taken[name][1]),
            total,
            fingerprints[name],
            notes[name],
        )
        for name in names
    ]
    return IndexPlan(mixture, seed, prompt_suffix, lines, [passes[name] for name in names])


def _size(name: str, config: SourceConfig, source: SourceTokens) -> int:
    """Documents of one copy."""
    if config.documents is not None and config.documents > source.num_documents:
        raise UserError(
            f"source {name!r}: documents is {config.documents}, but there are only {source.num_documents}"
        )
    if not source.num_documents:
        raise UserError(f"source {name!r}: holds no document")
    return config.documents or source.num_documents


def spread(documents: int, source: SourceTokens) -> list[int]:
    """So many documents over the parts, in proportion to their sizes (largest remainders)."""
    sizes = np.array([count for count, _, _ in source.counts], dtype=np.int64)
    exact = sizes * documents / max(int(sizes.sum()), 1)
    counts = np.floor(exact).astype(np.int64)
    missing = documents - int(counts.sum())
    largest = np.argsort(counts - exact, kind="stable")[:missing]
    counts[largest] += 1
    return [int(count) for count in counts]


def _copies(copies: float, size: int, source: SourceTokens) -> list[Pass]:
    whole = int(copies)
    part = round((copies - whole) * size)
    found = [Pass(spread(size, source), whole)] if whole else []
    return found + ([Pass(spread(part, source), 1)] if part else [])


def _taken(source: SourceTokens, passes: list[Pass]) -> tuple[int, int, int]:
    """(documents, tokens, prompt tokens) of some passes."""
    documents = tokens = prompts = 0
    for one in passes:
        for part, count in enumerate(one.counts):
            if not count:
                continue
            whole = count == source.counts[part][0]
            documents += one.times * count
            tokens += one.times * int(source.starts(part)[count])
            asked = source.counts[part][2] if whole else int(source.prompts(part)[:count].sum(dtype=np.int64))
            prompts += one.times * asked
    return documents, tokens, prompts


def _asked(
    mixture: MixtureConfig,
    sources: Mapping[str, SourceTokens],
    sizes: Mapping[str, int],
    taken: Mapping[str, tuple[int, int, int]],
) -> dict[str, int]:
    """What each source with a share is asked for, in its unit."""
    shared = {name: config for name, config in mixture.sources.items() if config.share is not None}
    if not shared:
        return {}
    shares = sum(config.share or 0.0 for config in shared.values())
    in_documents = next(iter(shared.values())).unit == "documents"
    if in_documents and taken:
        total = sum(documents for documents, _, _ in taken.values()) / (1.0 - shares)
    elif in_documents:
        assert mixture.budget_tokens is not None
        mean = sum(
            (config.share or 0.0) * sources[name].num_tokens / sources[name].num_documents
            for name, config in shared.items()
        )
        total = mixture.budget_tokens / mean
    elif mixture.budget_tokens is not None:
        total = float(mixture.budget_tokens)
    else:
        total = sum(tokens for _, tokens, _ in taken.values()) / (1.0 - shares)
    return {name: round((config.share or 0.0) * total) for name, config in shared.items()}


def _share(config: SourceConfig, size: int, asked: int, source: SourceTokens) -> tuple[list[Pass], str]:
    """Whole passes and a part of one, up to `max_passes`."""
    counts = spread(size, source)
    documents, tokens, _ = _taken(source, [Pass(counts, 1)])
    one_pass = tokens if config.unit == "tokens" else documents
    wanted = min(float(asked), config.max_passes * one_pass)
    whole = int(wanted / one_pass)
    rest = wanted - whole * one_pass
    part = _first_tokens(rest, counts, source) if config.unit == "tokens" else spread(round(rest), source)
    found = ([Pass(counts, whole)] if whole else []) + ([Pass(part, 1)] if any(part) else [])
    return found, f"capped at {config.max_passes:g} passes" if asked > config.max_passes * one_pass else ""


def _first_tokens(tokens: float, counts: list[int], source: SourceTokens) -> list[int]:
    """Documents of each part that hold so many tokens together, to within half a document."""
    whole = [int(source.starts(part)[count]) for part, count in enumerate(counts)]
    total, before, taken = max(sum(whole), 1), 0, 0
    found = []
    for part, count in enumerate(counts):
        before += whole[part]
        wanted = tokens * before / total - taken
        starts = source.starts(part)[: count + 1]
        near = int(np.searchsorted(starts, wanted))
        near = min(near, count)
        if near and abs(int(starts[near - 1]) - wanted) <= abs(int(starts[near]) - wanted):
            near -= 1
        found.append(near)
        taken += int(starts[near])
    return found


def _line(
    name: str,
    config: SourceConfig,
    source: SourceTokens,
    size: int,
    taken: tuple[int, int, int],
    asked: int,
    total: int,
    fingerprint: str,
    note: str,
) -> SourcePlan:
    """A source's line of the plan."""
    available = _taken(source, [Pass(spread(size, source), 1)])
    documents, tokens, prompts = taken
    in_tokens = config.share is None or config.unit == "tokens"
    return SourcePlan(
        name=name,
        asked=f"copies {config.wanted_copies:g}"
        if config.share is None
        else f"share {config.share:g} of {config.unit}",
        tokens_asked=asked if in_tokens else tokens,
        documents_available=size,
        tokens_available=available[1],
        solution_tokens_available=available[1] - available[2],
        documents_obtained=documents,
        tokens_obtained=tokens,
        solution_tokens_obtained=tokens - prompts,
        passes=documents / size,
        share_of_tokens=tokens / total if total else 0.0,
        fingerprint=fingerprint,
        note=", ".join(part for part in (note, source.note) if part),
        contamination=source.contamination,
    )


def write_index(
    plan: IndexPlan, artifacts: Mapping[str, str], eos_id: int, vocab_size: int, folder: Path
) -> None:
    """Write `index.json`; `artifacts`: source -> name of the folder beside this one that holds its ids."""
    read = [
        {"source": line.name, "artifact": artifacts[line.name], "passes": [list(one) for one in passes]}
        for line, passes in zip(plan.sources, plan.passes, strict=True)
    ]
    write_json(
        folder / "index.json",
        {
            "num_tokens": sum(line.tokens_obtained for line in plan.sources),
            "num_documents": sum(line.documents_obtained for line in plan.sources),
            "eos_id": eos_id,
            "vocab_size": vocab_size,
            "passes": read,
        },
    )
