"""Settings of mixtures and their sources, as recipes write them."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.config import Config, Count
from ..core.errors import UserError
from .styles import StyleKnobs
from .world.config import Share

PAPER_PARTS = {
    "as": "programs",
    "fm3": "prose",
    "tg": "tinygsm",
    "omi1": "omi1",
    "omi2": "omi2",
    "mmqa": "metamath",
    "gsm": "gsm8k",
}
"""Parts of the paper's mixture names -> our source names; the two background sets get stand-ins."""


HUB_PARTS = {
    "programs": "algebraic-stack",
    "prose": "finemath3plus",
    "tinygsm": "tinygsm",
    "omi1": "openmathinstruct1",
    "omi2": "openmathinstruct2",
    "metamath": "metamathqa",
    "gsm8k": "gsm8k",
}
"""Our source names -> the sets of the hub that the paper's parts are."""


class NoiseConfig(Config):
    """Wrong solutions in a source."""

    random: Share = 0.0
    """Share of documents with a plausible error of a random kind (a majority is still right)."""
    systematic: Share = 0.0
    """Share of (family, difficulty) cells in which every document makes the same mistake."""


class CoverageConfig(Config):
    """Which part of the world a source holds at all."""

    families: Literal["all"] | tuple[str, ...] = "all"
    operations: tuple[int, int] | None = None
    """Fewest and most operations; None: as the world."""


class SourceConfig(Config):
    """One source of a mixture: how much of it, and what is in it."""

    copies: Annotated[float, Field(gt=0)] | None = None
    """Passes over the source, the paper's meaning: ratio and compute change together."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Part of the whole mixture instead, at equal compute."""
    unit: Literal["tokens", "documents"] = "tokens"
    """What `share` counts."""
    documents: Annotated[Count, Field(ge=1)] | None = None
    """Size of one copy; None: what the budget asks for."""
    max_passes: Annotated[float, Field(gt=0)] = 4.0
    """Repetition cap of a `share` on a source of limited size."""
    format: str | None = None
    """Style or background kind when it is not the source's name: for twins of one format."""
    style: StyleKnobs = StyleKnobs()
    noise: NoiseConfig = NoiseConfig()
    coverage: CoverageConfig = CoverageConfig()
    planted: Annotated[Count, Field(ge=0)] = 0
    """Background only: how many problems of the `overlap` set it mentions."""
    planted_share: Share = 0.0
    """Background only: share of its documents that mention one."""
    exercises: Share = 0.0
    """Background only: share of its documents that state a training problem with bare calculations."""
    path: str | None = None
    """Real rows: a file or a folder of files."""
    hub: str | None = None
    """Real rows from the hub by data set name (extra `[hub]`)."""
    revision: str | None = None
    """The hub commit that is read; needed where we know none."""
    columns: str | None = None
    """Real rows: name of a known column layout; None: found by the columns themselves."""
    on_bad_row: Literal["error", "skip"] = "error"

    @model_validator(mode="after")
    def _consistent(self) -> "SourceConfig":
        if self.copies is not None and self.share is not None:
            raise ValueError("a source takes copies or share, not both")
        if self.path and self.hub:
            raise ValueError("a source takes path or hub, not both")
        return self

    @property
    def wanted_copies(self) -> float:
        """Copies asked for; 1 where neither copies nor share is given."""
        return 1.0 if self.copies is None else self.copies


class MixtureConfig(Config):
    """Sources and the tokens that they fill; or one of the paper's names (`named: tg_4xomi1`)."""

    added: ClassVar[frozenset[str]] = frozenset({"on_contamination"})

    budget_tokens: Annotated[Count, Field(ge=1000)] | None = None
    sources: dict[str, SourceConfig] = Field(min_length=1)
    max_contamination: Share = 0.01
    """A source that overlaps a larger share of an evaluation set is refused; 1 allows all."""
    on_contamination: Literal["error", "drop"] = "error"
    """`drop`: documents that hold an evaluation problem are left out; no source is refused."""

    @model_validator(mode="before")
    @classmethod
    def _by_the_papers_name(cls, data: object) -> object:
        """`tg_4xomi1` alone, or `{named: tg_4xomi1, ...}`, whose further keys override the name's.

        With `real: true` the parts are the paper's own sets on the hub, never generated ones.
        """
        if isinstance(data, str):
            data = {"named": data}
        if not isinstance(data, dict) or "named" not in data:
            return data
        named = sources_from_name(str(data["named"]), real=data.get("real") is True)
        given = data.get("sources") or {}
        merged = {name: {**named.get(name, {}), **(given.get(name) or {})} for name in [*named, *given]}
        if type(data.get("real", False)) is not bool:
            raise ValueError(f"real is {data['real']!r}; allowed are true and false")
        rest = {key: value for key, value in data.items() if key not in ("named", "real")}
        return rest | {"sources": merged}

    @property
    def drops(self) -> bool:
        """Whether documents with evaluation problems are left out."""
        return self.on_contamination == "drop"

    @model_validator(mode="after")
    def _shares_add_up(self) -> "MixtureConfig":
        shares = [source.share for source in self.sources.values() if source.share is not None]
        total = sum(shares)
        if total > 1 + 1e-9:
            raise ValueError(f"the shares add up to {total:g}; at most 1")
        if len(shares) == len(self.sources) and total < 1 - 1e-6:
            raise ValueError(
                f"every source has a share and they add up to {total:g}; "
                "they must add up to 1, or leave one as copies"
            )
        if len(shares) == len(self.sources) and self.budget_tokens is None:
            raise ValueError("every source has a share, so budget_tokens is needed")
        if len(shares) < len(self.sources) and total > 1 - 1e-9:
            raise ValueError("the shares add up to 1 and leave nothing for the sources with copies")
        if len({source.unit for source in self.sources.values() if source.share is not None}) > 1:
            raise ValueError("shares are given in tokens and in documents; use one unit")
        return self


def sources_from_name(name: str, real: bool = False) -> dict[str, dict[str, float | str]]:
    """The sources of a mixture written as the paper names it: `tg_4xomi1`, `as_fm3_tg_omi1_omi2`.

    `real`: each reads its set on the hub.

    >>> sources_from_name("tg_4xomi1")
    {'tinygsm': {'copies': 1.0}, 'omi1': {'copies': 4.0}}
    """
    sources: dict[str, dict[str, float | str]] = {}
    for piece in name.split("_"):
        match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)x)?([a-z]+\d?)", piece)
        if not match or match[2] not in PAPER_PARTS:
            raise UserError(
                f"mixture {name!r}: part {piece!r} is unknown; parts are {', '.join(PAPER_PARTS)}, "
                "each with an optional 4x before it"
            )
        if PAPER_PARTS[match[2]] in sources:
            raise UserError(f"mixture {name!r}: part {match[2]!r} occurs twice")
        part = PAPER_PARTS[match[2]]
        sources[part] = {"copies": float(match[1] or 1)} | ({"hub": HUB_PARTS[part]} if real else {})
    return sources


def mixture_from_name(name: str, budget_tokens: int | None = None) -> MixtureConfig:
    """The mixture that a paper's name means."""
    return MixtureConfig.parse({"named": name, "budget_tokens": budget_tokens}, "mixture")
