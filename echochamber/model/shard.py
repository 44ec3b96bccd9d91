"""Weights, gradients and optimizer state split over the ranks (FSDP2), for models that one rank cannot hold.

Resume state is a folder in the format of torch.distributed.checkpoint: every rank writes its part, and any
number of ranks reads it, one without a process group too. Checkpoints stay Hugging Face folders.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor

from ..core.errors import UserError
from .critic import Critic
from .optimizer import Optimizer
from .ranks import PATIENCE, Ranks
from .transformer import Transformer


def shard(
    model: Transformer,
    ranks: Ranks,
    device_type: str,
    dtype: torch.dtype = torch.float32,
    reshard: bool | None = None,
) -> None:
    """Split every block and what is around them, in place; with one rank nothing is done.

    Backward passes then leave the *mean* of the ranks' gradients (gloo has no scaled sum to change that).
    `dtype`: in which weights are gathered, gradients are summed up in float32. `reshard`: free what is
    around the blocks after every forward pass too, which a model that also runs without gradients needs.
    """
    if ranks.world_size > 1:
        _split([*model.blocks, model], ranks, device_type, dtype, reshard)
        register_fsdp_forward_method(model, "states_and_logprobs")


def shard_critic(critic: Critic, ranks: Ranks, device_type: str, dtype: torch.dtype) -> None:
    """The same for a critic with a trunk of its own."""
    if ranks.world_size > 1:
        assert isinstance(critic.trunk, Transformer), "other trunks are refused before"
        _split([*critic.trunk.blocks, critic], ranks, device_type, dtype, True)
        register_fsdp_forward_method(critic, "row_values")


def _split(
    modules: Sequence[nn.Module], ranks: Ranks, device_type: str, dtype: torch.dtype, reshard: bool | None
) -> None:
    mesh = init_device_mesh(device_type, (ranks.world_size,))
    policy = MixedPrecisionPolicy()
    if dtype != torch.float32:
        # Inputs stay as they are: angles of positions in bf16 would be too coarse.
        policy = MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=False)
    for module in modules:
        fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)


def sync_gradients(models: Iterable[nn.Module | None], wanted: bool) -> None:
    """Whether the next backward passes sum gradients over the ranks; else each rank keeps its own sums."""
    for model in models:
        if isinstance(model, FSDPModule):
            model.set_requires_gradient_sync(wanted)


class WholeWeights(Mapping[str, Tensor]):
    """The weights of a split model, each gathered on every rank when it is read; all ranks read together."""

    def __init__(self, model: nn.Module) -> None:
        self.state = model.state_dict()

    def __getitem__(self, name: str) -> Tensor:
        value = self.state[name]
        whole: Tensor = value.full_tensor() if isinstance(value, DTensor) else value
        return whole

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """All weights on rank 0's CPU (empty elsewhere); every rank must call it."""
    return cast(
        dict[str, Tensor],
        get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)),
    )


Trained = Sequence[tuple[nn.Module, Optimizer]]
"""Models with the optimizers that train them."""
_ALONE = "torch.distributed is disabled, unavailable or uninitialized"
"""How the library's warning begins where a process has no others."""


def save_sharded(
    target: Path, trained: Trained, ranks: Ranks, numbers: dict[str, float] | None = None
) -> None:
    """Write resume state into a folder, every rank its part; whole once this returns on rank 0."""
    with _alone_is_fine():
        dcp.save(_parts(trained, numbers or {}), checkpoint_id=target, no_dist=ranks.world_size == 1)


def save_sharded_later(
    target: Path, trained: Trained, ranks: Ranks, numbers: dict[str, float]
) -> "Future[object]":
    """The same while training goes on: the state is copied now, and whole once the future's result is there.

    Every rank must ask for a save at the same step, and for no second one before the first is whole.
    """
    alone = ranks.world_size == 1
    # For good, not in a context: the library warns from its thread, when this function may have ended.
    warnings.filterwarnings("ignore", message=_ALONE)
    saving = dcp.async_save(
        _parts(trained, numbers),
        checkpoint_id=target,
        process_group=None if alone else _writers(),
        no_dist=alone,
    )
    assert isinstance(saving, Future), "copies are made before it returns"
    return saving


@cache
def _writers() -> dist.ProcessGroup:
    """All ranks in a group of their own: messages of threads must not meet those of training."""
    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert group is not None
    return group


def load_sharded(
    source: Path, trained: Trained, ranks: Ranks, numbers: dict[str, float] | None = None
) -> dict[str, float]:
    """Put saved state back, however many ranks wrote it; returns the `numbers` as they were saved."""
    parts = _parts(trained, numbers or {})
    try:
        with _alone_is_fine():
            dcp.load(parts, checkpoint_id=source, no_dist=ranks.world_size == 1)
    except (OSError, RuntimeError, dcp.api.CheckpointException) as error:
        raise UserError(
            f"{source}: resume state is damaged ({str(error).splitlines()[0]}); "
            "remove its folder to start again"
        ) from None
    for index, (model, optimizer) in enumerate(trained):
        set_state_dict(
            model,
            optimizer.torch_parts,
            model_state_dict=parts[_name("model", index)],
            optim_state_dict=parts[_name("optimizer", index)],
        )
    return {name: float(parts[name]) for name in numbers or {}}


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """One process without a process group is what was asked for; the library warns of it nevertheless."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_ALONE)
        yield


def _name(kind: str, index: int) -> str:
    """The first model's names are those of versions that kept one."""
    return f"{kind}-{index}" if index else kind


def _parts(trained: Trained, numbers: dict[str, float]) -> dict[str, Any]:
    parts: dict[str, Any] = {
        name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()
    }
    for index, (model, optimizer) in enumerate(trained):
        weights, state = get_state_dict(model, optimizer.torch_parts)
        parts |= {_name("model", index): weights, _name("optimizer", index): state}
    return parts
