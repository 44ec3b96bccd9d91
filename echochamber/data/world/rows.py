"""What a family is made of: table rows of a pattern, names and wordings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoryRow:
    """One thing that can happen in a story."""

    pattern: str
    """What it does to the running value: a key of `patterns.PATTERNS`."""
    names: tuple[str, ...]
    """Names of the new given numbers, then of the new steps; singular noun phrases."""
    wordings: tuple[str, ...]
    late: tuple[str, ...] = ()
    """Openings only: wordings for telling it after the events."""


@dataclass(frozen=True, slots=True)
class SummandRow:
    """One summand of a total: a product (`*`) or a single number (`n`)."""

    pattern: str
    names: tuple[str, ...]
    wordings: tuple[str, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """People whose numbers are given by comparison with each other."""

    measure: str
    """What is compared, as a variable's tail: `count`, `age`, `height`."""
    first: tuple[str, ...]
    relations: tuple[StoryRow, ...]
    last: tuple[str, ...]
    """Questions after the last person."""
    both: tuple[str, ...]
    """Questions after the sum of the last two; `{a}` and `{b}`."""
    difference: tuple[str, ...]
    """Questions after how far the larger of the last two lies above the smaller; `{a}`, `{b}`."""
    everyone: tuple[str, ...]
    """Questions after the sum of all; `{all}` lists them."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of story: how it opens, what may happen, what is asked."""

    name: str
    things: dict[str, tuple[str, ...]]
    """Word lists: one word of each is drawn per problem (several of `parts_from` for parts)."""
    openings: tuple[StoryRow, ...] = ()
    parts: tuple[SummandRow, ...] = ()
    total: str = "total"
    """Name of the running sum of the parts."""
    parts_from: str = ""
    """The word list of which each part takes another word as `{item}`."""
    events: tuple[StoryRow, ...] = ()
    closings: tuple[StoryRow, ...] = ()
    comparisons: Comparisons | None = None
    distractors: tuple[str, ...] = ()
    """Irrelevant facts with one number `{n}`."""
    unit: str = ""
    """Unit of the running value; a name in braces takes it from `things`."""
    small: int = 12
    """Largest factor in a product."""
    most: int = 0
    """Largest value that makes sense in this story, where that is less than the world's."""
    version: int = 1
    """Raised with any change of its texts or rows; part of the fingerprint of all that holds the family."""


def row(pattern: str, names: str, *wordings: str, late: tuple[str, ...] = ()) -> StoryRow:
    """A `StoryRow` with its names separated by spaces."""
    return StoryRow(pattern, tuple(names.split()), wordings, late)


def part(pattern: str, names: str, *wordings: str, unit: str = "") -> SummandRow:
    """A `SummandRow` with its names separated by spaces."""
    return SummandRow(pattern, tuple(names.split()), wordings, unit)
