"""The table of `doctor --gpu`."""

from collections.abc import Iterator

import torch

from ..core.errors import UserError
from .device_check import CPU, correctness_checks
from .device_parts import FULL, TINY, Finding, run_checks
from .device_speed import speed_checks


def run_self_check(name: str) -> Iterator[Finding]:
    """What the device is, comparisons, then speeds. `name`: `cuda`, or `cpu` at tiny sizes."""
    if name not in ("cpu", "cuda"):
        raise UserError(f"--device is {name!r}; allowed are cuda and cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "doctor --gpu: torch finds no CUDA device; --device cpu runs the script at tiny sizes"
        )
    device, sizes = (torch.device("cuda", 0), FULL) if name == "cuda" else (CPU, TINY)
    what = torch.cuda.get_device_name(device) if name == "cuda" else "CPU, tiny sizes: speeds mean nothing"
    yield Finding("device", "measured", f"{what}; torch {torch.__version__}, CUDA {torch.version.cuda}")
    yield from run_checks([*correctness_checks(device, sizes), *speed_checks(device, sizes)])
