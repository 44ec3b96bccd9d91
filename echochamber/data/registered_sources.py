"""Document sources of a user's own: a registered function that yields training documents."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..core.errors import UserError
from .background import KINDS
from .source_config import SourceConfig
from .sources import Document
from .styles import STYLES

Documents = Callable[[int], Iterable[Document]]
"""Seed -> documents in order; the same seed must give the same documents."""


@dataclass(frozen=True)
class RegisteredSource:
    """A source that a user's module registered, as a mixture uses it."""

    name: str
    """The source's name in the recipe."""
    registered_as: str
    read: Documents
    limited: bool
    """True when it ends by itself; a mixture then reads it to its end."""
    seed: int = 0
    note = ""

    def documents(self) -> Iterator[Document]:
        """All documents in order; `UserError` where the function yields anything but documents of text."""
        for index, item in enumerate(self.read(self.seed)):
            if not isinstance(item, Document) or not all(isinstance(part, str) for part in item):
                raise UserError(
                    f"source {self.registered_as!r}: item {index} is {type(item).__name__}, "
                    "expected a Document(question, solution) of two strings"
                )
            yield item


_REGISTRY: dict[str, tuple[Documents, bool]] = {}


def register_source(name: str, documents: Documents, *, limited: bool = False) -> None:
    """Offer a document source to mixtures under `name`, as `sources: {NAME: {copies: 1}}`.

    `documents(seed)` yields `Document(question, solution)` in order and gives the same documents for
    the same seed. An empty question makes plain text, without a prompt. `limited`: it ends by itself.
    Raises `UserError` where the name is a style, a background kind or registered already.
    """
    if name in (*STYLES, *KINDS):
        raise UserError(f"source {name!r} is a style or background kind of the package; choose another name")
    if name in _REGISTRY and _REGISTRY[name] != (documents, limited):
        raise UserError(f"source {name!r} is registered already; choose another name")
    _REGISTRY[name] = (documents, limited)


def is_registered(name: str, config: SourceConfig) -> bool:
    """Whether a mixture's source is a user's own: its name, or its `format`, is registered."""
    return not (config.path or config.hub) and (config.format or name) in _REGISTRY


def open_registered(name: str, config: SourceConfig, seed: int) -> RegisteredSource:
    """The registered source that a recipe names; only for sources that `is_registered`."""
    documents, limited = _REGISTRY[config.format or name]
    return RegisteredSource(name, config.format or name, documents, limited, seed)
