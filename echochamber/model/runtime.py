"""Where tensors live and in which precision: one value, made once and passed on, never a global."""

import ctypes
import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from ..core.errors import UserError
from ..core.progress import say
from ..core.resume import ResumeSettings
from .decoder import Decoder
from .native.library import cell_dtype, why_not
from .native.weights import why_unfit
from .ranks import Ranks, join_ranks
from .settings import AUTO_ENGINE, RuntimeConfig, VllmConfig
from .transformer import Transformer

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Options of mallopt(3)."""


@dataclass(frozen=True)
class Runtime:
    """The resolved choice."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    compile: bool
    native: bool = False
    engine: str = AUTO_ENGINE
    trust_remote_code: bool = False
    low_memory: bool = False
    block_attention: bool = False
    checkpoint_blocks: bool = False
    ranks: Ranks = field(default_factory=Ranks)
    checkpoint_dtype: torch.dtype = torch.float32
    """Of the weights in checkpoints."""
    resume: ResumeSettings = field(default_factory=ResumeSettings)
    repeatable: bool = False
    vllm: VllmConfig = field(default_factory=VllmConfig)

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which matrix products run in `dtype`."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def start_runtime(config: RuntimeConfig, resume: ResumeSettings | None = None) -> Runtime:
    """Resolve `auto` settings, set the thread count, meet the other ranks where torchrun started some."""
    device = choose_device(config.device)
    ranks = join_ranks(device)
    torch.set_num_threads(config.threads)
    dtype = _dtype(config, device)
    native = _native(config.native, device, dtype)
    compiled = config.compile == "on" or (config.compile == "auto" and has_compiler() and not native)
    _be_deterministic(device.type == "cpu", compiled)
    keep_freed_memory()
    return Runtime(
        device=device,
        dtype=dtype,
        threads=config.threads,
        compile=compiled,
        native=native,
        engine=config.engine,
        trust_remote_code=config.trust_remote_code,
        low_memory=config.low_memory == "on" or (config.low_memory == "auto" and device.type == "cuda"),
        block_attention=config.attention == "blocks"
        or (config.attention == "auto" and device.type == "cuda"),
        checkpoint_blocks=config.checkpoint_blocks,
        ranks=ranks,
        checkpoint_dtype=torch.bfloat16 if config.checkpoint_dtype == "bfloat16" else torch.float32,
        resume=resume or ResumeSettings(),
        repeatable=config.repeatable,
        vllm=config.vllm,
    )


def _be_deterministic(wanted: bool, compiled: bool) -> None:
    """Ask torch for operations that repeat to the bit, and its compiler too where that is used.

    Telling the compiler imports it, which takes as long as importing torch.
    """
    if compiled:
        torch.use_deterministic_algorithms(wanted)
    else:
        torch.set_deterministic_debug_mode("error" if wanted else "default")
    # Deterministic mode also fills every fresh tensor; ours are written before they are read, and
    # filling them took a third of the sampler's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks instead of giving them back to the kernel.

    Large temporaries come and go at every step; fetching fresh pages for them costs a tenth to a
    fifth of training time on a CPU. Nothing happens where the C library is another one.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * 2**20)):
            mallopt(option, value)


def speed_up(model: Decoder, runtime: Runtime, compiled: bool = True, many_widths: bool = False) -> None:
    """Have a model run in C where the runtime allows it, else compiled (unless said not to), else plain.

    `many_widths`: rows of packed rollouts are to be expected. A model of transformers stays as it is.
    """
    if not isinstance(model, Transformer):
        return
    _choose_ways(model, runtime)
    reason = why_unfit(model.config) if runtime.native else None
    if runtime.native and reason is None:
        model.use_native(runtime.threads)
    elif runtime.compile and compiled:
        _compile(model, runtime, many_widths)
    if reason is not None:
        _say_plain(reason)


def prepare(
    model: Decoder, runtime: Runtime, split: bool, compiled: bool = True, many_widths: bool = False
) -> None:
    """`speed_up`; a model that will be split runs in PyTorch, compiled on CUDA alone."""
    if not split:
        speed_up(model, runtime, compiled, many_widths)
    elif isinstance(model, Transformer):
        _choose_ways(model, runtime)
        if runtime.compile and compiled and runtime.device.type == "cuda":
            _compile(model, runtime, many_widths)


def _compile(model: Transformer, runtime: Runtime, many_widths: bool) -> None:
    """On CUDA, where rows attend in two ways, eight graphs are too few for varying shapes (`compile_blocks`).

    On a CPU they suffice, and its kernels stay those by which earlier results were made.
    """
    model.compile_blocks(dynamic=True if many_widths and runtime.device.type == "cuda" else None)


def _choose_ways(model: Transformer, runtime: Runtime) -> None:
    """What a model in PyTorch does to save memory."""
    model.low_memory, model.block_attention = runtime.low_memory, runtime.block_attention
    model.checkpoint_blocks = runtime.checkpoint_blocks


@lru_cache
def _say_plain(reason: str) -> None:
    """Once for each reason."""
    say(f"this model runs in PyTorch, not in the engine in C: {reason}")


def _native(choice: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the engine in C is to run: it computes on the CPU in one precision, `cell_dtype`."""
    if choice == "off" or (choice == "auto" and (device.type != "cpu" or dtype != cell_dtype())):
        return False
    reason = why_not()
    if reason is None and (device.type != "cpu" or dtype != cell_dtype()):
        reason = f"on this CPU it computes in {cell_dtype()}, and this is {dtype} on {device.type}"
    if choice == "on" and reason:
        raise UserError(
            f"runtime.native is 'on', but the engine in C does not run here: {reason}; use 'auto' or 'off'"
        )
    return reason is None


def choose_device(name: str) -> torch.device:
    """The device of this process for a value of `runtime.device`; of several CUDA devices its rank's."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("runtime.device is 'cuda', but this torch finds no CUDA device; use 'auto' or 'cpu'")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    index, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= count:
        raise UserError(
            f"LOCAL_RANK is {index}, but this machine has {count} CUDA device(s); "
            f"start at most {count} ranks on it (torchrun --nproc-per-node {count})"
        )
    return torch.device("cuda", index)


def visible_gpus() -> list[str]:
    """Names of the CUDA devices that this process may use, as `CUDA_VISIBLE_DEVICES` takes them."""
    count, named = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def _dtype(config: RuntimeConfig, device: torch.device) -> torch.dtype:
    if config.dtype != "auto":
        return getattr(torch, config.dtype)
    if device.type != "cpu":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    # Plain PyTorch converts every operand and result under autocast. On a CPU that costs more than bf16
    # units save at these sizes, so without the engine float32 is faster. `off` keeps the engine's precision.
    wanted = config.native == "off" or why_not() is None
    return (cell_dtype() if wanted else None) or torch.float32


def has_bf16(device: torch.device) -> bool:
    """True where bf16 products run in hardware: CUDA that says so, or CPUs with AVX-512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def has_compiler() -> bool:
    """True when a C++ compiler that `torch.compile` can use on CPU is on the path."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))
