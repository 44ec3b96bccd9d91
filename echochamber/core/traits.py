"""The registry of traits: properties of a completion that may overlap; formats are a partition.

Nothing is tracked unless it is declared: a recipe's `behaviours` with `kind: trait`, or a user's module.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import UserError

COLUMN = "trait_"
"""Beginning of the columns of records that say whether a trait holds."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One property that holds for a completion or does not."""

    name: str
    holds: Callable[[str], bool]
    """Completion text -> does it have this trait? Right and wrong answers are treated alike."""
    title: str = ""
    """What a reader sees, in the middle of a sentence: `a check of the result`."""


_REGISTRY: dict[str, Trait] = {}


def register_trait(row: Trait) -> Trait:
    """Add a trait; `UserError` where the name is no identifier or is taken by a different row."""
    if not row.name.isidentifier():
        raise UserError(f"trait {row.name!r}: a trait's name is letters, digits and underscores")
    if row.name in _REGISTRY and _REGISTRY[row.name] != row:
        raise UserError(f"trait {row.name!r} is registered already; choose another name")
    _REGISTRY[row.name] = row
    return row


def forget_trait(name: str) -> None:
    """Remove a trait from the registry."""
    del _REGISTRY[name]


@contextmanager
def extra_traits(rows: Iterable[Trait]) -> Iterator[None]:
    """Register further traits while the block runs, so that one study's own do not leak into another."""
    added = [register_trait(row) for row in rows if row.name not in _REGISTRY]
    try:
        yield
    finally:
        for row in added:
            forget_trait(row.name)


def registered_traits() -> dict[str, Trait]:
    """All traits by name, in the order of their registration."""
    return dict(_REGISTRY)


def traits_of(text: str) -> dict[str, bool]:
    """Registered trait -> whether the completion has it; several may hold, or none."""
    return {name: bool(row.holds(text)) for name, row in _REGISTRY.items()}
