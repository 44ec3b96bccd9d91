"""Several processes that train one model: who does which part, and how the parts come together.

Ranks are started by torchrun. Each holds the whole model; work is split, gradients are added up.
With one rank every function here returns at once what it was given. What travels is numbers and
JSON, never pickled objects.
"""

import atexit
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")
_BUCKET = 2**24
"""Gradient entries sent together: few messages for small models, little memory for large ones."""
_PATIENCE = timedelta(days=7)
"""How long a rank waits for the others, which may be preparing data; torchrun ends all when one dies."""


@dataclass(frozen=True)
class Ranks:
    """This process among the `world_size` that train together; rank 0 writes files."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """True on the rank that writes files."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This rank's share of `count` items: neighbours stay together, shares differ by one at most."""
        return slice(count * self.rank // self.world_size, count * (self.rank + 1) // self.world_size)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up every parameter's gradient over the ranks, in place; a rank without one adds zero."""
        if self.world_size == 1:
            return
        for bucket in _buckets(p for p in parameters if p.requires_grad):
            flat = torch.cat(
                [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in bucket]
            )
            dist.all_reduce(flat)
            for parameter, summed in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                parameter.grad = summed.view_as(parameter).clone()

    def sum(self, values: Tensor) -> Tensor:
        """`values` added up over the ranks, in place."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """True on every rank where it is true on one."""
        return flag if self.world_size == 1 else any(self.gather(flag))

    def gather(self, data: T) -> list[T]:
        """What every rank gave, in their order, as JSON carries it (NaN and infinities included)."""
        if self.world_size == 1:
            return [data]
        own = torch.frombuffer(bytearray(json.dumps(data).encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.long) for _ in range(self.world_size)]
        dist.all_gather(lengths, torch.tensor([len(own)]))
        longest = int(max(lengths))
        parts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.world_size)]
        dist.all_gather(parts, torch.cat([own, own.new_zeros(longest - len(own))]))
        return [json.loads(bytes(part[: int(n)].numpy())) for part, n in zip(parts, lengths, strict=True)]

    def from_main(self, data: object) -> Any:
        """What rank 0 gave; nobody goes on before it has."""
        return self.gather(data if self.is_main else None)[0]


def _buckets(parameters: Iterator[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    bucket: list[nn.Parameter] = []
    for parameter in parameters:
        bucket.append(parameter)
        if sum(p.numel() for p in bucket) >= _BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def started_by_torchrun() -> bool:
    """True where the environment names several ranks and where they meet."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= set(
        os.environ
    )


def join_ranks() -> Ranks:
    """Meet the other ranks, once per process; without torchrun there is one rank and nothing happens."""
    if not started_by_torchrun():
        return Ranks()
    if not dist.is_initialized():
        # Files and figures travel as CPU tensors, gradients where the model is.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=_PATIENCE)
        atexit.register(dist.destroy_process_group)
    return Ranks(dist.get_rank(), dist.get_world_size())
