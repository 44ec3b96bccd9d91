"""Whether the engine in C is faster in bf16 or in float32 on a CPU that has units for both.

A bf16 product step of 16 lanes adds up twice as many numbers as one in float32, but a CPU may start fewer of
them: Sapphire Rapids starts one in two cycles, and two float32 steps in every cycle. So the rates are
measured once for a machine, and the choice is kept beside the built libraries.
"""

import ctypes
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock

from ...core.errors import UserError
from ...core.files import write_text
from .built import Unavailable, cpu_description, private_folder

Load = Callable[[torch.dtype], ctypes.CDLL]
NAMES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
VARIABLE = "ECHOCHAMBER_ENGINE_DTYPE"
"""Environment variable that names one of the two, for instance to test the other."""
MARGIN = 1.1
"""Bf16 has to be faster by this factor, since its results are coarser."""
ROUNDS = 9
SHAPE = (128, 256, 128)
"""Rows, columns and contraction of the product that is timed."""


def faster_cells(load: Load) -> torch.dtype:
    """What the variable says, else what was measured here before, else what is measured now.

    Without both libraries it is float32: plain PyTorch is faster in it, as it converts every operand of bf16.
    """
    if (asked := os.environ.get(VARIABLE)) is not None:
        if asked not in NAMES:
            raise UserError(f"{VARIABLE} is {asked!r}; it may be {' or '.join(NAMES)}")
        return NAMES[asked]
    try:
        both = {dtype: load(dtype) for dtype in NAMES.values()}
        return _kept_choice(both)
    except (Unavailable, OSError):
        return torch.float32


def _kept_choice(both: dict[torch.dtype, ctypes.CDLL]) -> torch.dtype:
    """One file for a kind of CPU and a pair of libraries; anything but a name in it is measured again."""
    parts = [
        cpu_description("model name", "flags"),
        *(Path(one._name).name.encode() for one in both.values()),
    ]
    file = private_folder() / f"precision-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}.txt"
    with FileLock(file.with_suffix(".lock")):
        found = file.read_text(encoding="ascii", errors="replace").strip() if file.is_file() else ""
        if found not in NAMES:
            rates = product_rates(both)
            bf16 = rates[torch.bfloat16] > MARGIN * rates[torch.float32]
            found = "bfloat16" if bf16 else "float32"
            write_text(file, found + "\n")
    return NAMES[found]


def product_rates(both: dict[torch.dtype, ctypes.CDLL]) -> dict[torch.dtype, float]:
    """Best GFLOP/s of one thread over rounds in which the libraries take turns."""
    rows, columns, contraction = SHAPE
    best = dict.fromkeys(both, float("inf"))
    left, right, out = (
        torch.zeros(size) for size in (rows * contraction, columns * contraction, rows * columns)
    )
    for _ in range(ROUNDS):
        for dtype, library in both.items():
            started = time.perf_counter()
            library.echo_multiply(
                rows, columns, contraction, left.data_ptr(), right.data_ptr(), out.data_ptr()
            )
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return {dtype: 2e-9 * rows * columns * contraction / seconds for dtype, seconds in best.items()}
