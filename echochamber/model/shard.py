"""Weights, gradients and optimizer state split over the ranks (FSDP2), for models that one rank cannot hold.

Resume state is a folder in the format of torch.distributed.checkpoint: every rank writes its part, and any
number of ranks reads it, one without a process group too. Checkpoints stay Hugging Face folders.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from ..core.errors import UserError
from .optimizer import Optimizer
from .ranks import Ranks
from .transformer import Transformer


def shard(model: Transformer, ranks: Ranks, device_type: str) -> None:
    """Split every block and what is around them, in place; with one rank nothing is done.

    Backward passes then leave the *mean* of the ranks' gradients (gloo has no scaled sum to change that).
    """
    if ranks.world_size == 1:
        return
    mesh = init_device_mesh(device_type, (ranks.world_size,))
    for module in (*model.blocks, model):
        fully_shard(module, mesh=mesh)


def whole_state(model: Transformer) -> dict[str, Tensor]:
    """All weights on rank 0's CPU (empty elsewhere); every rank must call it."""
    return cast(
        dict[str, Tensor],
        get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)),
    )


def save_sharded(target: Path, model: Transformer, optimizer: Optimizer, ranks: Ranks) -> None:
    """Write resume state into a folder, every rank its part; whole once this returns on rank 0."""
    with _alone_is_fine():
        dcp.save(_parts(model, optimizer), checkpoint_id=target, no_dist=ranks.world_size == 1)


def load_sharded(source: Path, model: Transformer, optimizer: Optimizer, ranks: Ranks) -> None:
    """Put saved state back, however many ranks wrote it."""
    parts = _parts(model, optimizer)
    try:
        with _alone_is_fine():
            dcp.load(parts, checkpoint_id=source, no_dist=ranks.world_size == 1)
    except (OSError, RuntimeError, dcp.api.CheckpointException) as error:
        raise UserError(
            f"{source}: resume state is damaged ({str(error).splitlines()[0]}); "
            "remove its folder to start again"
        ) from None
    set_state_dict(
        model, optimizer.torch_parts, model_state_dict=parts["model"], optim_state_dict=parts["optimizer"]
    )


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """One process without a process group is what was asked for; the library warns of it nevertheless."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="torch.distributed is disabled, unavailable or uninitialized"
        )
        yield


def _parts(model: Transformer, optimizer: Optimizer) -> dict[str, Any]:
    weights, state = get_state_dict(model, optimizer.torch_parts)
    return {"model": weights, "optimizer": state}
