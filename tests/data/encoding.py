"""A tokenizer for tests: one token per byte."""

from collections.abc import Sequence


def encode_bytes(texts: Sequence[str]) -> list[list[int]]:
    """UTF-8 bytes as ids 0 to 255; 256 is free for end of text."""
    return [list(text.encode()) for text in texts]


EOS = 256
