"""Engines sample completions. Each is one object behind one protocol; `runtime.engine` chooses it.

`native` is this project's own sampler, in C or in PyTorch (`runtime.native` says which). `transformers`
runs every other model that this library loads. `vllm` samples through that one, from weights that it is sent.
A module of the user's own adds an engine with `register_engine`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ..core.errors import UserError
from ..core.types import Completion
from ..model.decoder import Decoder
from ..model.native.decode import decode_as_finished
from ..model.native.library import cell_dtype
from ..model.runtime import Runtime, speed_up
from ..model.sampling import Row
from ..model.settings import (
    AUTO_ENGINE,
    NATIVE_ENGINE,
    TRANSFORMERS_ENGINE,
    VLLM_ENGINE,
    SamplingConfig,
)
from ..model.stop import StopStrings
from ..model.tokenizer import Tokenizer
from ..model.torch_sampler import sample_rows
from ..model.transformer import Transformer
from ..model.transformers_model import TransformersModel
from ..model.transformers_sampler import sample_rows as sample_rows_of
from ..model.transformers_sampler import way_of
from .engine_names import add_engine_name, check_engine_name, check_repeatable
from .local_engine import LocalEngine
from .vllm_engine import VllmEngine


@runtime_checkable
class Engine(Protocol):
    """What RL, evaluation and probing need of a sampler, and all that they use of it."""

    tokenizer: Tokenizer
    sampling: SamplingConfig
    """How completions are drawn; read at every call."""

    def encode(self, questions: Sequence[str]) -> list[list[int]]:
        """Token ids of each question with the prompt suffix."""

    def sample(self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray) -> Iterator[list[Completion]]:
        """The G completions of each prompt, in the order of the prompts.

        `stream_keys` (P, G), uint64: one random stream per completion (see `core.random`).
        """

    def sample_as_finished(
        self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(index of the prompt, its G completions) as soon as the last of them has ended."""

    def sync(self, weights: Mapping[str, Tensor]) -> None:
        """Sample from these weights from now on.

        `weights` has Hugging Face's names (`Decoder.weights`). RL calls this before every step.
        """


class NativeEngine(LocalEngine):
    """Samples in this process from `model`, as its weights are at the time of the call."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        runtime: Runtime,
        prompt_suffix: str,
    ) -> None:
        super().__init__(tokenizer, sampling, prompt_suffix)
        self.model, self.dtype = model, runtime.dtype
        if model.native is None:
            speed_up(model, runtime, compiled=False)

    @property
    def max_positions(self) -> int:
        """See `LocalEngine`."""
        return self.model.config.max_positions

    @torch.no_grad()
    def sync(self, weights: Mapping[str, Tensor]) -> None:
        """Copy in place what is not shared with `model`; a policy that this engine was made of is shared.

        The C engine compares its packed copy with the weights at every call, so nothing is stale there.
        """
        _copy_unshared(weights, self.model.weights())

    def rows(
        self,
        prompts: Sequence[Sequence[int]],
        stream_keys: np.ndarray,
        stop: StopStrings,
        sampling: SamplingConfig,
    ) -> Iterator[list[tuple[int, list[Row]]]]:
        """See `LocalEngine`; from the C engine where the model has one."""
        model, ends = self.model, self.tokenizer.end_ids
        if model.native is not None and self.dtype == cell_dtype() and prompts:
            return decode_as_finished(model, *model.native, prompts, stream_keys, sampling, ends, stop)
        return sample_rows(model, prompts, stream_keys, sampling, self.tokenizer, stop, self.dtype)


class TransformersEngine(LocalEngine):
    """Samples through transformers from `model`, as its weights are at the time of the call."""

    def __init__(
        self,
        model: TransformersModel,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        runtime: Runtime,
        prompt_suffix: str,
    ) -> None:
        super().__init__(tokenizer, sampling, prompt_suffix)
        self.model, self.autocast = model, runtime.autocast
        self.way = way_of(model)

    @property
    def max_positions(self) -> int:
        """See `LocalEngine`."""
        return self.model.config.max_positions

    @torch.no_grad()
    def sync(self, weights: Mapping[str, Tensor]) -> None:
        """Copy in place what is not shared with `model`; a policy that this engine was made of is shared.

        A model with an adapter must be that policy.
        """
        if self.model.adapter is not None:
            return
        _copy_unshared(weights, self.model.weights())

    def rows(
        self,
        prompts: Sequence[Sequence[int]],
        stream_keys: np.ndarray,
        stop: StopStrings,
        sampling: SamplingConfig,
    ) -> Iterator[list[tuple[int, list[Row]]]]:
        """See `LocalEngine`."""
        return sample_rows_of(
            self.model, prompts, stream_keys, sampling, self.tokenizer, stop, self.way, self.autocast
        )


def _copy_unshared(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    for name, value in weights.items():
        if own[name].data_ptr() != value.data_ptr():
            own[name].copy_(value)


EngineFactory = Callable[[Decoder, Tokenizer, SamplingConfig, Runtime, str], Engine]
"""(model, tokenizer, sampling, runtime, prompt suffix) -> an engine that samples from that model."""


@dataclass(frozen=True, slots=True)
class EngineRow:
    """A named engine."""

    name: str
    start: EngineFactory


_REGISTRY: dict[str, EngineRow] = {}


def register_engine(name: str, start: EngineFactory, not_repeatable: str | None = None) -> EngineRow:
    """Add an engine that recipes choose as `runtime.engine: NAME`; a taken name is a `UserError`.

    `not_repeatable`: why its completions do not repeat to the byte, for the manifests; None: they do.
    """
    add_engine_name(name, not_repeatable)
    _REGISTRY[name] = EngineRow(name, start)
    return _REGISTRY[name]


def engine_row(name: str) -> EngineRow:
    """The engine of that name; `auto` is `native` here, which takes most models.

    An unknown name is a `UserError` that lists what there is.
    """
    check_engine_name(name)
    return _REGISTRY[NATIVE_ENGINE if name == AUTO_ENGINE else name]


def start_engine(
    model: Decoder, tokenizer: Tokenizer, sampling: SamplingConfig, runtime: Runtime, prompt_suffix: str
) -> Engine:
    """The engine that `runtime.engine` names, or with `auto` the model's own, sampling from `model`."""
    name = runtime.engine
    if name == AUTO_ENGINE and isinstance(model, TransformersModel):
        name = TRANSFORMERS_ENGINE
    row = engine_row(name)
    check_repeatable(name, runtime.repeatable)
    engine = row.start(model, tokenizer, sampling, runtime, prompt_suffix)
    if tokenizer.prompt.template == "plain":
        return engine
    if engine.encode(["1"]) != tokenizer.encode_prompts(["1"], prompt_suffix):
        raise UserError(
            f"engine {name!r} encodes prompts in its own way; prompt.template must be 'plain' there"
        )
    return engine


def _start_native(
    model: Decoder, tokenizer: Tokenizer, sampling: SamplingConfig, runtime: Runtime, prompt_suffix: str
) -> Engine:
    assert isinstance(model, Transformer), "load_model gives this engine its own decoder"
    return NativeEngine(model, tokenizer, sampling, runtime, prompt_suffix)


def _start_transformers(
    model: Decoder, tokenizer: Tokenizer, sampling: SamplingConfig, runtime: Runtime, prompt_suffix: str
) -> Engine:
    assert isinstance(model, TransformersModel), "load_model gives this engine a model of transformers"
    return TransformersEngine(model, tokenizer, sampling, runtime, prompt_suffix)


_REGISTRY[VLLM_ENGINE] = EngineRow(VLLM_ENGINE, VllmEngine)
_REGISTRY[NATIVE_ENGINE] = EngineRow(NATIVE_ENGINE, _start_native)
_REGISTRY[TRANSFORMERS_ENGINE] = EngineRow(TRANSFORMERS_ENGINE, _start_transformers)
