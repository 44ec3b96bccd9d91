"""What an executor is: it takes stages and reports how each ended, wherever it runs them.

The study decides their order and starts lost ones again (`execute`).
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

from .stage_graph import StageNode
from .stage_task import StageOutcome

Handle = TypeVar("Handle", bound=Hashable)
"""What an executor gives out for a stage that it runs."""


@dataclass(frozen=True)
class Ended(Generic[Handle]):
    """A stage that ended, and how."""

    handle: Handle
    outcome: StageOutcome


@runtime_checkable
class StageExecutor(Protocol[Handle]):
    """Runs stages somewhere."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def slots(self) -> int:
        """How many stages may run at once."""
        ...

    def check(self, node: StageNode) -> None:
        """`UserError` where the stage asks for more than there is at all."""
        ...

    def has_room(self, node: StageNode) -> bool:
        """Whether what the stage asks for is free now."""
        ...

    def submit(self, node: StageNode) -> Handle:
        """Start a stage; returns a handle."""
        ...

    def wait(self, handles: Iterable[Handle]) -> list[Ended[Handle]]:
        """Stages that have ended, at least one."""
        ...
