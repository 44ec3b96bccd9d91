"""Who samples: the native engine; others implement the same two methods."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ..core.types import Completion
from ..model.generate import generate, generate_as_finished
from ..model.runtime import Runtime, speed_up
from ..model.sampling import SamplingConfig
from ..model.tokenizer import Tokenizer
from ..model.transformer import Transformer


@runtime_checkable
class Engine(Protocol):
    """What collecting and evaluating need."""

    tokenizer: Tokenizer
    sampling: SamplingConfig

    def encode(self, questions: Sequence[str]) -> list[list[int]]:
        """Token ids of each question with the prompt suffix."""

    def sample(self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray) -> Iterator[list[Completion]]:
        """The completions of each prompt in order; stream_keys (P, G)."""

    def sample_as_finished(
        self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray
    ) -> Iterator[tuple[int, list[Completion]]]:
        """(prompt, its completions) as soon as they are there."""


class NativeEngine:
    """Samples in this process from the model as it is at the time of the call."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        runtime: Runtime,
        prompt_suffix: str,
    ) -> None:
        self.model, self.tokenizer, self.sampling, self.runtime = model, tokenizer, sampling, runtime
        if model.native is None:
            speed_up(model, runtime, compiled=False)
        self.prompt_suffix = prompt_suffix

    def encode(self, questions: Sequence[str]) -> list[list[int]]:
        """Question and suffix in one encoding, as in the training documents."""
        return self.tokenizer.encode_batch([question + self.prompt_suffix for question in questions])

    def sample(self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray) -> Iterator[list[Completion]]:
        """See `model.generate`."""
        return generate(self.model, self.tokenizer, prompts, stream_keys, self.sampling, self.runtime.dtype)

    def sample_as_finished(
        self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray
    ) -> Iterator[tuple[int, list[Completion]]]:
        """See `model.generate_as_finished`."""
        return generate_as_finished(
            self.model, self.tokenizer, prompts, stream_keys, self.sampling, self.runtime.dtype
        )
