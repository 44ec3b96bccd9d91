"""What this machine's matrix units reach, as the yardstick of training."""

import time

import torch


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
