"""Stop strings: where a completion's text ends, and with which token its sampling does."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .tokenizer import Tokenizer

_SPARE = 4
"""Tokens looked at beyond the longest stop string's bytes: special ones have no text."""


class StopStrings:
    """Any of these strings ends a completion; false where there are none."""

    def __init__(self, strings: Sequence[str], tokenizer: Tokenizer) -> None:
        self.strings, self.tokenizer = tuple(strings), tokenizer
        # A token that has text has a byte of it at least.
        self.tail = max((len(text.encode()) for text in strings), default=0) + _SPARE

    def __bool__(self) -> bool:
        return bool(self.strings)

    def completed(self, token_ids: Tensor) -> Tensor:
        """(B,) bool: rows (B, T) that hold a stop string near their end; looks at the last tokens only."""
        return torch.tensor(self.in_tails(token_ids[:, -self.tail :].tolist()), device=token_ids.device)

    def in_tails(self, rows: Sequence[Sequence[int]]) -> list[bool]:
        """Which of these token lists hold a stop string near their end."""
        texts = self.tokenizer.decode_batch([list(ids[-self.tail :]) for ids in rows])
        return [any(s in text for s in self.strings) for text in texts]

    def cut(self, texts: Sequence[str]) -> list[str]:
        """Each text up to the first stop string in it."""
        return [min((text.partition(s)[0] for s in self.strings), key=len, default=text) for text in texts]
