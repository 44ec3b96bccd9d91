"""Resume state of a training stage: one file, replaced whole, read without pickle's code execution."""

from pathlib import Path
from typing import Any

import torch

from ..core.errors import UserError
from .optimizer import Optimizer
from .transformer import Transformer


def save_state(path: Path, step: int, model: Transformer, optimizer: Optimizer, **extra: Any) -> None:
    """Weights, optimizer moments and the last finished step."""
    temporary = path.with_suffix(".tmp")
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()} | extra, temporary)
    temporary.replace(path)


def load_state(path: Path, model: Transformer, optimizer: Optimizer) -> dict[str, Any] | None:
    """Put the state back; None where there is none."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{path}: resume state is damaged ({str(error).splitlines()[0]}); remove its folder to start again") from None
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state
