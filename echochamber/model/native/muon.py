"""`torch.optim.Muon` with all matrices orthogonalised in one call of the C engine.

A few milliseconds instead of tens.
"""

import ctypes
import math

import torch
from torch import Tensor

from . import library as c


class NativeMuon(torch.optim.Muon):
    """Same state and update (Jordan et al. 2024) up to bf16 rounding.

    Matrices are float32, their sides multiples of 16.
    """

    threads = 1

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            params: list[Tensor] = []
            grads: list[Tensor] = []
            buffers: list[Tensor] = []
            self._init_group(group, params, grads, buffers)
            if not params:
                continue
            torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
            updates = (
                torch._foreach_lerp(grads, buffers, group["momentum"])
                if group["nesterov"]
                else [b.clone() for b in buffers]
            )
            updates = [update.contiguous() for update in updates]
            orthogonalise(updates, group["ns_steps"], group["ns_coefficients"], group["eps"], self.threads)
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            # adjust_lr_fn "original": taller matrices take longer steps.
            torch._foreach_mul_(
                updates, [-group["lr"] * math.sqrt(max(1.0, p.shape[0] / p.shape[1])) for p in params]
            )
            torch._foreach_add_(params, updates)


def orthogonalise(
    matrices: list[Tensor], steps: int, coefficients: tuple[float, float, float], eps: float, threads: int
) -> None:
    """Replace each contiguous float32 matrix by its approximate orthogonal factor."""
    pointers = (ctypes.c_void_p * len(matrices))(*(c.address(matrix) for matrix in matrices))
    shapes = (ctypes.c_int64 * (2 * len(matrices)))(*(side for matrix in matrices for side in matrix.shape))
    c.load().echo_orthogonalise(pointers, shapes, len(matrices), steps, *coefficients, eps, threads)
