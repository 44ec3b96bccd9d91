"""The mixture plan as data and as a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .document_pool import DocumentPool
from .source_config import MixtureConfig


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
    contamination: list[dict[str, object]] = field(default_factory=list)
    """Overlap with each evaluation set that was given."""


@dataclass
class MixturePlan:
    """A measured mixture; `write_shards` turns it into files."""

    config: MixtureConfig
    seed: int
    prompt_suffix: str
    sources: list[SourcePlan]
    pools: list[DocumentPool] = field(repr=False)
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

    def to_json(self) -> dict[str, object]:
        """The plan as plain data."""
        return {
            "config": self.config.identity(),
            "seed": self.seed,
            "prompt_suffix": self.prompt_suffix,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "sources": [asdict(source) for source in self.sources],
        }

    def table(self) -> str:
        """The plan as text for a terminal, with what was found of evaluation sets in the sources."""
        plan = self.to_json()
        return "\n".join([plan_table(plan), *contamination_lines(plan)])


def plan_table(plan: Mapping[str, Any]) -> str:
    """A plan's JSON as aligned text, one line per source."""
    head = (
        "source",
        "asked",
        "available",
        "documents",
        "tokens",
        "solution",
        "share",
        "passes",
        "fingerprint",
    )
    rows = [
        (
            item["name"],
            item["asked"],
            f"{item['documents_available']:,}",
            f"{item['documents_obtained']:,}",
            f"{item['tokens_obtained']:,}",
            f"{item['solution_tokens_obtained']:,}",
            f"{item['share_of_tokens']:.3f}",
            f"{item['passes']:.2f}",
            item["fingerprint"] + (f"  {item['note']}" if item["note"] else ""),
        )
        for item in plan["sources"]
    ]
    rows.append(("all", "", "", f"{plan['num_documents']:,}", f"{plan['num_tokens']:,}", "", "", "", ""))
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i in (0, 1, 8) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in aligned)


def contamination_lines(plan: Mapping[str, Any]) -> list[str]:
    """One line per problem set of which a source holds something, and one that says what was compared."""
    checked = [(item["name"], overlap) for item in plan["sources"] for overlap in item["contamination"]]
    if not checked:
        return []
    sets = dict.fromkeys(f"{overlap['problem_set']} ({overlap['problems']:,})" for _, overlap in checked)
    lines = [f"contamination: every source compared with {', '.join(sets)}"]
    found = [(name, overlap) for name, overlap in checked if overlap["problems_found"]]
    lines += [
        f"  {name} holds {overlap['problems_found']:,} of {overlap['problem_set']} "
        f"({overlap['share_found']:.2%}), in "
        f"{overlap['documents']:,} documents{', left out' if overlap.get('dropped') else ''}; "
        f"first: {overlap['examples'][0]}"
        for name, overlap in found
    ]
    return lines if found else [*lines, "  nothing found"]
