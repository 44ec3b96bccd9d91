"""What the world may draw: families, sizes, wording, and the named problem sets."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ...core.config import Config, Count

Share = Annotated[float, Field(ge=0, le=1)]
MAX_OPERATIONS = 12
BEYOND_EXTRA = 4
"""`beyond` holds problems with 1 to this many operations more than the world's largest."""

LEVELS = {"easy": (1, 2), "medium": (3, 4), "hard": (5, 8)}
HELD_OUT = ("novel", "beyond", "overlap", "overlap_clean")
"""Sets that training never holds a structure of."""
PROBLEM_SETS = ("all", "easy", "medium", "hard", *HELD_OUT)


class WorldConfig(Config):
    """The embedded world of word problems."""

    families: Literal["all"] | tuple[str, ...] = "all"
    operations: tuple[int, int] = (1, 8)
    """Fewest and most operations of an ordinary problem."""
    max_value: Count = Field(default=1000, ge=20, le=1_000_000)
    """Largest given number and largest intermediate value (percentages scale by 100 on the way)."""
    wordings: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """How many phrasings of each sentence are used."""
    vocabulary: Literal["all"] | Annotated[int, Field(ge=2)] = "all"
    """How many names and how many things of each list are used."""
    number_words: Share = 0.1
    """Share of problems whose whole numbers are written as words."""
    irrelevant_facts: Share = 0.15
    """Share of problems with a number that does not matter."""
    reorder: Share = 0.3
    """Share of problems whose facts are told in another order, where the story allows it."""
    novel_share: Annotated[float, Field(ge=0, le=0.5)] = 0.06
    """Share of graph shapes (three operations and more) kept out of everything but `novel`."""

    @field_validator("operations")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        low, high = value
        if not 1 <= low <= high <= MAX_OPERATIONS - BEYOND_EXTRA:
            raise ValueError(
                f"expected [fewest, most] with 1 <= fewest <= most <= {MAX_OPERATIONS - BEYOND_EXTRA}"
            )
        return value

    @model_validator(mode="after")
    def _known_families(self) -> "WorldConfig":
        if self.families == "all":
            return self
        from .families import FAMILIES

        unknown = [name for name in self.families if name not in FAMILIES]
        if unknown:
            raise ValueError(f"family {unknown[0]!r} is unknown; there are {', '.join(sorted(FAMILIES))}")
        if not self.families:
            raise ValueError("families is empty; name at least one, or write all")
        return self

    @property
    def family_names(self) -> tuple[str, ...]:
        """The families in use, in their fixed order."""
        from .families import FAMILIES

        return tuple(FAMILIES) if self.families == "all" else self.families

    @property
    def revised_families(self) -> dict[str, int]:
        """Version of each family in use whose texts have changed since the first; {} where none has."""
        from .families import FAMILIES

        return {name: FAMILIES[name].version for name in self.family_names if FAMILIES[name].version > 1}
