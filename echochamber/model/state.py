"""Resume state of a training stage: one file, replaced whole, read without pickle's code execution."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from ..core.errors import UserError


@runtime_checkable
class Stateful(Protocol):
    """A model or an optimizer."""

    def state_dict(self) -> object:
        """What must be kept."""

    def load_state_dict(self, state: Any, /) -> object:
        """Put it back."""


def save_state(
    path: Path, step: int, parts: dict[str, Stateful], extra: dict[str, float] | None = None
) -> None:
    """The state of every part, and the last finished step."""
    temporary = path.with_suffix(".tmp")
    torch.save(
        {"step": step} | {name: part.state_dict() for name, part in parts.items()} | (extra or {}), temporary
    )
    temporary.replace(path)


def load_state(path: Path, parts: dict[str, Stateful]) -> dict[str, float] | None:
    """Put the parts' state back; returns the step and the numbers beside it, None where there is nothing."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError) as error:
        raise UserError(
            f"{path}: resume state is damaged ({str(error).splitlines()[0]}); "
            "remove its folder to start again"
        ) from None
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return {name: value for name, value in state.items() if name not in parts}
