"""A formula by its name: a table of formulas can be read without torch, which comes with the first call."""

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Formula:
    """The function `name` of the module `formulas.MODULE`; called as that function is."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    @cached_property
    def function(self) -> "Callable[..., Tensor]":
        """The function itself; AttributeError where the module has none of that name."""
        function: Callable[..., Tensor] = getattr(import_module(f".{self.module}", __package__), self.name)
        return function

    def __call__(self, *arguments: "Tensor | float") -> "Tensor":
        return self.function(*arguments)

    def __repr__(self) -> str:
        return f"Formula({self.module}.{self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and (self.module, self.name) == (other.module, other.name)

    def __hash__(self) -> int:
        return hash((self.module, self.name))
