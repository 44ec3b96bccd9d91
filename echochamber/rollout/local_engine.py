"""What engines have in common that sample in this process."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..core.types import Completion
from ..model.sampling import Row, by_room, check_lengths
from ..model.settings import SamplingConfig
from ..model.stop import StopStrings
from ..model.tokenizer import Tokenizer


class LocalEngine(ABC):
    """Prompts in, completions out; a subclass draws the rows."""

    def __init__(self, tokenizer: Tokenizer, sampling: SamplingConfig, prompt_suffix: str) -> None:
        self.tokenizer, self.sampling, self.prompt_suffix = tokenizer, sampling, prompt_suffix

    @property
    @abstractmethod
    def max_positions(self) -> int:
        """Tokens of prompt and completion together, at most."""

    @abstractmethod
    def rows(
        self,
        prompts: Sequence[Sequence[int]],
        stream_keys: np.ndarray,
        stop: StopStrings,
        sampling: SamplingConfig,
    ) -> Iterator[list[tuple[int, list[Row]]]]:
        """(prompt, its rows) of prompts that have just ended."""

    def encode(self, questions: Sequence[str]) -> list[list[int]]:
        """Question and suffix in one encoding, as in training documents; or the chat template."""
        return self.tokenizer.encode_prompts(questions, self.prompt_suffix)

    def sample(self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray) -> Iterator[list[Completion]]:
        """See `Engine`."""
        return in_order(self.sample_as_finished(prompts, stream_keys))

    @torch.no_grad()
    def sample_as_finished(
        self, prompts: Sequence[Sequence[int]], stream_keys: np.ndarray
    ) -> Iterator[tuple[int, list[Completion]]]:
        """See `Engine`; a prompt that leaves no room is a `UserError` or cut, by `past_positions`."""
        check_lengths(prompts, self.sampling, self.max_positions)
        stop = StopStrings(self.sampling.stop + self.tokenizer.ends.strings, self.tokenizer)
        for indices, sampling in by_room(prompts, self.sampling, self.max_positions):
            some = [prompts[index] for index in indices]
            for finished in self.rows(some, stream_keys[indices], stop, sampling):
                texts = self.tokenizer.decode_batch(
                    [self._without_eos(ids) for _, rows in finished for ids, _, _ in rows]
                )
                following = iter(stop.cut(texts))
                for index, rows in finished:
                    yield (
                        indices[index],
                        [Completion(next(following), tuple(ids), tuple(lps), cut) for ids, lps, cut in rows],
                    )

    def _without_eos(self, ids: list[int]) -> list[int]:
        return ids[:-1] if ids[-1] in self.tokenizer.end_ids else ids


def in_order(finished: Iterator[tuple[int, list[Completion]]]) -> Iterator[list[Completion]]:
    """Groups that come in any order, in the order of their prompts."""
    waiting: dict[int, list[Completion]] = {}
    following = 0
    for index, group in finished:
        waiting[index] = group
        while following in waiting:
            yield waiting.pop(following)
            following += 1
