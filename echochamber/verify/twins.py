"""Neutral twins: one format split in two by a mark that means nothing, to see what RL does between equals."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydantic import Field

from ..core.config import Config
from ..core.errors import UserError
from ..core.formats import Format, format_row


class TwinConfig(Config):
    """A behaviour that is another format plus a mark: `{of: tinygsm, contains: "'''"}`."""

    of: str
    """The format it is a part of."""
    contains: str = Field(min_length=1)
    """Text that marks it, anywhere in the completion."""
    only: tuple[str, ...] = ()
    """Mixtures whose runs it is tracked in, by name or pattern (`phase_*`); none: all."""

    def tracked_in(self, mixture: str | None) -> bool:
        """Whether runs from a base of this mixture know the behaviour; None: a base that is no mixture's."""
        return not self.only or (
            mixture is not None and any(fnmatchcase(mixture, pattern) for pattern in self.only)
        )


@dataclass(frozen=True)
class _Marked:
    """Recognises a twin; equal settings are equal rules."""

    of: Format
    mark: str

    def __call__(self, text: str) -> bool:
        return self.mark in text and self.of.matches(text)


def twin_formats(twins: Mapping[str, TwinConfig]) -> list[Format]:
    """Rows to register while a study runs. They are asked before the shipped formats."""
    rows = []
    for name, twin in twins.items():
        if not name.isidentifier():
            raise UserError(f"behaviours.{name}: a behaviour's name is letters, digits and underscores")
        of = format_row(twin.of)
        rows.append(
            Format(
                name,
                _Marked(of, twin.contains),
                of.answer_rule,
                "",
                f"{of.title} containing {twin.contains!r}",
                of.name,
            )
        )
    return rows
