"""Several processes that work on one stage: who does which part, and how the parts come together.

Ranks are started by torchrun. Each holds the whole model; work is split, gradients are added up.
With one rank every function here returns at once what it was given. What travels is numbers and
JSON, never pickled objects.

Ranks that work together wait minutes for each other, so that a rank that hangs ends the run. What rank 0
alone does, such as preparing data, may take hours; the others wait for it at the store where all met. So
they do where each has a share of its own, as in an evaluation.
"""

import atexit
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..core.errors import UserError
from ..core.progress import say

T = TypeVar("T")
_BUCKET = 2**24
"""Gradient entries sent together: few messages for small models, little memory for large ones."""
PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others where all do the same work; longer than any save takes."""
_TOLD_EVERY = timedelta(minutes=10)
"""How often a rank says that it waits for rank 0."""


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

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This rank's items where each is a piece of work of its own: every `world_size`-th."""
        return items[self.rank :: self.world_size]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up every parameter's gradient over the ranks, in place; a rank without one adds zero."""
        if self.world_size == 1:
            return
        for bucket in _buckets(p for p in parameters if p.requires_grad):
            flat = torch.cat(
                [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in bucket]
            )
            with self._waiting("gradients"):
                dist.all_reduce(flat)
            for parameter, summed in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                parameter.grad = summed.view_as(parameter).clone()

    def sum(self, values: Tensor) -> Tensor:
        """`values` added up over the ranks, in place."""
        if self.world_size > 1:
            with self._waiting("sums"):
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
        with self._waiting("messages"):
            dist.all_gather(lengths, torch.tensor([len(own)]))
            longest = int(max(lengths))
            parts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.world_size)]
            dist.all_gather(parts, torch.cat([own, own.new_zeros(longest - len(own))]))
        return [json.loads(bytes(part[: int(n)].numpy())) for part, n in zip(parts, lengths, strict=True)]

    def from_main(self, data: object) -> Any:
        """What rank 0 gave, however long it takes until it does; nobody goes on before all have it."""
        if self.world_size == 1:
            return data
        meeting = _meeting()
        name = f"from_main/{next(meeting.count)}"
        if self.is_main:
            meeting.store.set(name, json.dumps(data))
        found = data if self.is_main else json.loads(self._await(name, "rank 0 to prepare or finish"))
        self.gather(None)
        return found

    def meet(self) -> None:
        """Return once every rank has come here, however long the slowest takes."""
        if self.world_size == 1:
            return
        meeting = _meeting()
        name = f"meet/{next(meeting.count)}"
        meeting.store.set(f"{name}/{self.rank}", "")
        for rank in range(self.world_size):
            self._await(f"{name}/{rank}", f"rank {rank} to finish its share")
        self.gather(None)

    def _await(self, name: str, what: str) -> bytes:
        """What a rank stores under a name; says now and then that this rank waits."""
        waited = timedelta()
        while True:
            try:
                _meeting().store.wait([name], _TOLD_EVERY)
                found: bytes = _meeting().store.get(name)
                return found
            except dist.DistStoreError:
                waited += _TOLD_EVERY
                minutes = waited.total_seconds() / 60
                say(f"rank {self.rank} has waited {minutes:.0f} minutes for {what}")

    @contextmanager
    def _waiting(self, what: str) -> Iterator[None]:
        """Turn a wait that took too long into a `UserError` that names the rank and what it waited for."""
        try:
            yield
        except RuntimeError as error:
            if "timed out" not in str(error).lower() and "timeout" not in str(error).lower():
                raise
            raise UserError(
                f"rank {self.rank} of {self.world_size} waited {PATIENCE.total_seconds() / 60:.0f} minutes "
                f"for {what} of the others; one of them hangs or has ended (see what it printed)"
            ) from error


@dataclass
class _Meeting:
    """Where the ranks of this process met, and how often rank 0 has told them something."""

    store: dist.Store
    count: Iterator[int]


@cache
def _meeting() -> _Meeting:
    """In the group's own store, also where a caller has set the group up."""
    store = dist.distributed_c10d._get_default_store()
    return _Meeting(dist.PrefixStore("meeting", store), itertools.count())


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


def join_ranks(device: torch.device | None = None) -> Ranks:
    """Meet the other ranks, once per process; without torchrun there is one rank and nothing happens.

    `device`: where this rank computes. A CUDA device becomes the process's own before anything is set up
    on it; else every rank would allocate on the first one.
    """
    if device is not None and device.type == "cuda":
        torch.cuda.set_device(device)
    if not started_by_torchrun():
        return Ranks()
    if not dist.is_initialized():
        store, rank, world_size = next(dist.rendezvous("env://"))
        on_cuda = device is not None and device.type == "cuda"
        dist.init_process_group(
            # Files and figures travel as CPU tensors, gradients where the model is.
            "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
            store=dist.PrefixStore("group", store),
            rank=rank,
            world_size=world_size,
            timeout=PATIENCE,
            device_id=device if on_cuda else None,
        )
        atexit.register(dist.destroy_process_group)
    return Ranks(dist.get_rank(), dist.get_world_size())
