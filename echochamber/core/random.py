"""Counter-based randomness: a stream depends on its keys alone, never on order or batch."""

import numpy as np

from .keys import key

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def generator(*parts: int | str) -> np.random.Generator:
    """A NumPy generator of its own for these keys (Philox)."""
    return np.random.Generator(np.random.Philox(key=key(*parts)))


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit integers."""
    values = (values ^ (values >> np.uint64(30))) * _MIX1
    values = (values ^ (values >> np.uint64(27))) * _MIX2
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def uniforms(stream_keys: np.ndarray, start: int, count: int) -> np.ndarray:
    """Uniforms in [0, 1) for positions start .. start+count-1 of each stream.

    Shapes: stream_keys (B,) uint64 -> (B, count) float64. Draw t of a stream is a pure function of
    (key, t), so a sequence sees the same numbers whatever its neighbours in the batch are.
    """
    positions = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        states = stream_keys.astype(np.uint64)[:, None] + positions[None, :] * _GOLDEN
        return (_mix(states) >> np.uint64(11)).astype(np.float64) * 2.0**-53
