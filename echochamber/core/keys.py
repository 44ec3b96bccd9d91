"""Keys of random streams, from what a stream is for. No NumPy."""

import hashlib


def key(*parts: int | str) -> int:
    """A 64-bit key of any mix of integers and names; `key("world", 3)` is the same everywhere."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
