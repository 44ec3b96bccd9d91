"""Batch sizes that fit this machine: asked for in the config, made smaller where memory is short (see `model.memory`)."""

from collections.abc import Sequence
from pathlib import Path

from .config import ModelConfig
from .memory import fitting_rows, fitting_tokens, free_bytes, settle
from .native.weights import fits as kernels_fit
from .runtime import Runtime
from .sampling import SamplingConfig


def sampling_that_fits(
    sampling: SamplingConfig,
    model: ModelConfig,
    prompts: Sequence[Sequence[int]],
    folder: Path,
    runtime: Runtime,
) -> SamplingConfig:
    """`sampling` with as many rows at once as fit beside the longest prompt; a fallback is recorded in `folder`."""
    longest = max((len(ids) for ids in prompts), default=0)

    def fits() -> float:
        return fitting_rows(model, longest, sampling.max_new_tokens, free_bytes(runtime.device))

    rows = settle(folder, "max_rows", sampling.max_rows, 1, fits, runtime.ranks)
    return sampling.model_copy(update={"max_rows": rows})


def tokens_that_fit(asked: int, width: int, model: ModelConfig, folder: Path, runtime: Runtime) -> int:
    """Tokens of one forward and backward pass, in rows of `width`: what was asked, or what fits."""
    threads = runtime.threads if runtime.native and kernels_fit(model) else 0
    return settle(
        folder,
        "microbatch_tokens",
        asked,
        width,
        lambda: fitting_tokens(model, free_bytes(runtime.device), threads),
        runtime.ranks,
    )
