"""Where documents come from: each source yields (question, solution) number i on request."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from ..core.errors import UserError
from .source_config import SourceConfig
from .styles import STYLES, render
from .world import WorldConfig, draw_problem
from .world.stream import stream

Document = tuple[str, str]
"""(question, solution); a background document has an empty question and no prompt suffix."""


@dataclass(frozen=True)
class WorldSource:
    """World problems of the train split, each written in one style."""

    name: str
    config: SourceConfig
    world: WorldConfig
    seed: int
    limited = False

    @property
    def style(self) -> str:
        """The style it writes in."""
        return self.config.format or self.name

    def document(self, index: int) -> Document:
        """Document `index`: a pure function of settings, seed and index."""
        problem = draw_problem(self.world, self.seed, "train", index)
        return problem.question, render(problem, self.style, stream("style", self.seed, index), self.config.style)

    def documents(self) -> Iterator[Document]:
        """All documents in order; it never ends."""
        return map(self.document, count())


def open_source(name: str, config: SourceConfig, world: WorldConfig, seed: int) -> WorldSource:
    """The source that a recipe names."""
    kind = config.format or name
    if kind in STYLES:
        return WorldSource(name, config, world, seed)
    raise UserError(f"source {name!r}: {kind!r} is no style ({', '.join(STYLES)}); give path, hub or format")


def take(source: WorldSource, start: int, stop: int) -> list[Document]:
    """Documents start .. stop-1 of a world source."""
    return list(islice((source.document(index) for index in range(start, stop)), stop - start))
