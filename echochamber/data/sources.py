"""Where documents come from: each source yields document i on request or in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import NamedTuple, Protocol, runtime_checkable

from ..core.errors import UserError
from ..core.numbers import format_number
from .background import KINDS, background_text
from .noise import noisy_graph
from .source_config import SourceConfig
from .styles import STYLES, render
from .world import FAMILIES, WorldConfig, draw_problem
from .world.stream import stream


class Document(NamedTuple):
    """One training document."""

    question: str
    """Empty for background text, which has no prompt suffix either."""
    solution: str
    structure: str = ""
    """World documents: the problem's structure hash."""
    answer: str = ""
    """World documents: the solution's answer, right or wrong. Empty for real rows."""


@runtime_checkable
class Source(Protocol):
    """What a pool draws from."""

    @property
    def name(self) -> str:
        """The source's name in the recipe."""
        ...

    @property
    def limited(self) -> bool:
        """True when it ends by itself."""
        ...

    @property
    def note(self) -> str:
        """What a reader of the plan should know."""
        ...

    def documents(self) -> Iterator[Document]:
        """All documents in order."""
        ...


@dataclass(frozen=True)
class WorldSource:
    """World problems of the train split, each written in one style."""

    name: str
    config: SourceConfig
    world: WorldConfig
    seed: int
    limited = False
    note = ""

    @property
    def style(self) -> str:
        """The style it writes in."""
        return self.config.format or self.name

    @cached_property
    def covered(self) -> WorldConfig:
        """The part of the world that this source holds."""
        return covered_world(self.name, self.config, self.world)

    def document(self, index: int) -> Document:
        """Document `index`: a pure function of settings, seed and index."""
        problem = draw_problem(self.covered, self.seed, "train", index)
        source = stream("style", self.seed, index)
        wrong = noisy_graph(problem, self.style, self.name, self.config.noise, self.world, source)
        text = render(problem, self.style, source, self.config.style, graph=wrong)
        answer = problem.reference if wrong is None else format_number(wrong.steps[-1].value)
        return Document(problem.question, text, problem.structure, answer)

    def documents(self) -> Iterator[Document]:
        """All documents in order; it never ends."""
        return map(self.document, count())


@dataclass(frozen=True)
class BackgroundSource:
    """Generated prose and programs."""

    name: str
    config: SourceConfig
    world: WorldConfig
    seed: int
    limited = False

    @property
    def note(self) -> str:
        """What was planted."""
        return (
            f"mentions {self.config.planted} overlap problems"
            if self.config.planted and self.config.planted_share
            else ""
        )

    def document(self, index: int) -> Document:
        """Document `index`: a pure function of settings, seed and index."""
        return Document(
            "", background_text(self.config.format or self.name, self.config, self.world, self.seed, index)
        )

    def documents(self) -> Iterator[Document]:
        """All documents in order; it never ends."""
        return map(self.document, count())


def covered_world(name: str, config: SourceConfig, world: WorldConfig) -> WorldConfig:
    """The world cut down to a source's coverage; `UserError` when nothing is left."""
    coverage = config.coverage
    if coverage.families == "all" and coverage.operations is None:
        return world
    unknown = (
        [] if coverage.families == "all" else [item for item in coverage.families if item not in FAMILIES]
    )
    families = tuple(
        item for item in world.family_names if coverage.families == "all" or item in coverage.families
    )
    low, high = coverage.operations or world.operations
    low, high = max(low, world.operations[0]), min(high, world.operations[1])
    if unknown or not families or low > high:
        raise UserError(
            f"source {name!r}: coverage {coverage.resolved()} leaves nothing of the world's families "
            f"({', '.join(world.family_names)}) and operations {list(world.operations)}"
        )
    return world.model_copy(update={"families": families, "operations": (low, high)})


def open_generated(name: str, config: SourceConfig, world: WorldConfig, seed: int) -> Source:
    """The world or background source that a recipe names."""
    kind = config.format or name
    if kind in STYLES:
        return WorldSource(name, config, world, seed)
    if kind in KINDS:
        return BackgroundSource(name, config, world, seed)
    raise UserError(
        f"source {name!r}: {kind!r} is no style ({', '.join(STYLES)}) "
        f"and no background ({', '.join(KINDS)}), "
        "and no module registered it; give path, hub or format"
    )
