"""Where runs of eight words that are looked for may begin in many texts: a filter without misses, in numpy.

A word's code is its first eight letters and its length; a run's code is a weighted sum over its words. Equal
runs have equal codes, so nothing is missed. What is found is compared word by word by the caller.
"""

from collections.abc import Iterable, Sequence

import numpy as np

RUN = 8
"""Words of a run."""
_SPACE = 32
_SIGNS = bytes(sign if chr(sign).isascii() and chr(sign).isalnum() else _SPACE for sign in range(256))
"""What stands for each byte of a lower-case text: letters and digits for themselves, all else for a space."""
_WIDTH = 8
_KEPT = np.array([(1 << 8 * length) - 1 for length in range(_WIDTH)] + [(1 << 64) - 1], dtype=np.uint64)
"""Length of a word -> mask of the letters that count."""
_ODD = np.array(
    [0x9E3779B97F4A7C15 * (2 * place + 1) % 2**64 | 1 for place in range(RUN + 1)], dtype=np.uint64
)
_SLOT_BITS = 22
"""A table of 4 MB says of most codes that they are not looked for."""


def plain(text: str) -> bytes:
    """Lower-case ASCII letters and digits of a text, with spaces for all else."""
    return text.lower().encode("utf-8", "replace").translate(_SIGNS)


class RunFilter:
    """Runs of `RUN` words to look for."""

    def __init__(self, runs: Iterable[Sequence[bytes]]) -> None:
        """Each of the runs has `RUN` words."""
        texts = [b" ".join(run) for run in runs]
        codes, _ = _run_codes(b" ".join(texts))
        self._codes = np.unique(codes[::RUN])
        assert len(texts) == len(codes[::RUN]) or not texts, "every run has RUN words"
        self._slots = np.zeros(1 << _SLOT_BITS, dtype=bool)
        self._slots[self._codes >> np.uint64(64 - _SLOT_BITS)] = True

    def search(self, texts: Sequence[bytes]) -> list[tuple[int, list[int]]]:
        """(index of a text, numbers of the words at which a run may begin) of texts with any.

        `texts` are such as `plain` gives. A run that would reach into the next text is found as well.
        """
        codes, word_starts = _run_codes(b" ".join(texts))
        maybe = np.flatnonzero(self._slots[codes >> np.uint64(64 - _SLOT_BITS)])
        at = np.searchsorted(self._codes, codes[maybe])
        hits = maybe[self._codes[np.minimum(at, len(self._codes) - 1)] == codes[maybe]]
        if not len(hits):
            return []
        lengths = np.fromiter((len(text) + 1 for text in texts), np.int64, len(texts))
        first_words = np.searchsorted(word_starts, np.concatenate([[0], np.cumsum(lengths)[:-1]]))
        owners = np.searchsorted(first_words, hits, side="right") - 1
        found: dict[int, list[int]] = {}
        for owner, hit in zip(owners.tolist(), hits.tolist(), strict=True):
            found.setdefault(owner, []).append(hit - int(first_words[owner]))
        return sorted(found.items())


def _run_codes(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(code of the run that begins at each word but the last ones, where each word starts)."""
    signs = np.frombuffer(data + b" " * _WIDTH, dtype=np.uint8)
    inside = signs != _SPACE
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate([[0], edges])
    starts, ends = edges[::2], edges[1::2]
    # The first eight bytes of each word as one number.
    letters = np.lib.stride_tricks.sliding_window_view(signs, _WIDTH)[starts]
    codes = letters.view("<u8").ravel() if len(letters) else np.zeros(0, np.uint64)
    lengths = ends - starts
    words = (codes & _KEPT[np.minimum(lengths, _WIDTH)]) ^ (lengths.astype(np.uint64) * _ODD[RUN])
    words ^= words >> np.uint64(29)
    runs = np.zeros(max(len(words) - RUN + 1, 0), dtype=np.uint64)
    for place in range(RUN):
        runs += words[place : place + len(runs)] * _ODD[place]
    return runs ^ (runs >> np.uint64(31)), starts
