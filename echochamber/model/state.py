"""Resume state of a training stage: one file, replaced whole, read without pickle's code execution."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core.errors import UserError
from ..core.storage import fsync_folder


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
    """The state of every part, and the last finished step; on disk when this returns."""
    _write(path, _gathered(step, parts, extra or {}))


def copied_state(
    path: Path, step: int, parts: dict[str, Stateful], extra: dict[str, float]
) -> Callable[[], None]:
    """Copy the state as it is now to the CPU; the function that is returned writes it."""
    return partial(_write, path, _copied(_gathered(step, parts, extra)))


def _gathered(step: int, parts: dict[str, Stateful], extra: dict[str, float]) -> dict[str, object]:
    return {"step": step} | {name: part.state_dict() for name, part in parts.items()} | extra


def _copied(value: object) -> object:
    """Tensors copied to the CPU, in whatever mappings and lists they lie."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_copied(inner) for inner in value])
    return value


def _write(path: Path, state: object) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:  # a stream of ours: its errors name their cause, torch's do not
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def load_state(path: Path | None, parts: dict[str, Stateful]) -> dict[str, float] | None:
    """Put the parts' state back; returns the step and the numbers beside it, None where there is nothing."""
    if path is None:
        return None
    try:
        # To the CPU, whichever device of whichever machine wrote it; each part puts it where it computes.
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return {"step": int(state["step"])} | {
            name: float(value) for name, value in state.items() if name not in (*parts, "step")
        }
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        # Whatever a damaged or planted file makes torch's reader and the parts raise.
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(
            f"{path}: resume state is damaged ({reason}); remove its folder to start again"
        ) from error
