"""What this machine's matrix units reach, as the yardstick of training."""

import time

import torch

_STATED = (
    ("B200", 2250e12),
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("L40S", 362e12),
    ("RTX 4090", 165.2e12),
    ("RTX 3090", 71e12),
)
"""Part of a CUDA device's name, and its bf16 operations per second with sums in float32.

Dense products, from NVIDIA's data sheets and whitepapers; the first row that fits counts.
"""


def stated_peak(device: torch.device, dtype: torch.dtype) -> float | None:
    """The maker's figure for bf16 on a CUDA device, in operations per second; None where none is known."""
    if device.type != "cuda" or dtype != torch.bfloat16:
        return None
    name = torch.cuda.get_device_name(device)
    return next((rate for part, rate in _STATED if part in name), None)


def matrix_peak(
    dtype: torch.dtype,
    device: torch.device | None = None,
    sizes: tuple[int, ...] = (512, 1024, 2048),
    seconds: float = 1.0,
) -> float:
    """Floating-point operations per second of the fastest square matrix product (2·n³ operations each).

    Takes about `seconds`. A size is left out where its products would take longer than its share of
    them: without matrix units for bf16, PyTorch needs a minute for one of 2048 by 2048.
    """
    best, share = 0.0, seconds / len(sizes)
    for size in sizes:
        if best and 2 * size**3 / best > share:
            break
        left, right = (torch.randn(size, size).to(device, dtype) for _ in range(2))
        left @ right
        until = time.perf_counter() + share
        while (started := time.perf_counter()) < until:
            product = left @ right
            if product.is_cuda:
                torch.cuda.synchronize(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best
