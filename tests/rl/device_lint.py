"""A lint for code that will run on an accelerator: run it on the `meta` device, where nothing has data.

`OneDevice` refuses every operation that takes tensors of two devices, as CUDA does. What reads data gets
ones, so that losses are finite and a training step goes through from end to end.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_aten = torch.ops.aten
_MOVES = {_aten._to_copy.default, _aten.copy_.default}
_INDEXES = {_aten.index.Tensor, _aten.index_put_.default, _aten.index_put.default}
"""Operations that take an index of the CPU on every device."""


class OneDevice(TorchDispatchMode):
    """Counts operations on `meta`, and raises AssertionError for one that mixes devices."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if function is _aten._local_scalar_dense.default and tensors[0].is_meta:
            return True if tensors[0].dtype == torch.bool else 1.0 if tensors[0].is_floating_point() else 1
        if function is _aten._to_copy.default and tensors[0].is_meta and kwargs.get("device") == CPU:
            return torch.ones(tensors[0].shape, dtype=kwargs.get("dtype") or tensors[0].dtype)
        if function is _aten.index.Tensor and tensors[0].is_meta and tensors[-1].dtype == torch.bool:
            return tensors[0].flatten(0, tensors[-1].dim() - 1)
        devices = {tensor.device for tensor in _compared(function, tensors)}
        assert len(devices) <= 1, f"{function}: mixes {' and '.join(sorted(map(str, devices)))}"
        self.count += any(tensor.is_meta for tensor in tensors)
        return function(*args, **kwargs)


CPU = torch.device("cpu")


def _compared(function: Any, tensors: list[Tensor]) -> Iterator[Tensor]:
    """Tensors that must be on one device; single numbers may come from the CPU."""
    if function in _MOVES:
        return
    for position, tensor in enumerate(tensors):
        if tensor.dim() and not (function in _INDEXES and position and tensor.device == CPU):
            yield tensor
