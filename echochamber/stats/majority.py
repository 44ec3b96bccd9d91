"""maj@k: the chance that a vote among k completions elects the right answer."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import lgamma

import numpy as np


def maj_at_k(
    correct_votes: int, wrong_votes: Iterable[int], num_samples: int, ks: Sequence[int]
) -> np.ndarray:
    """Expected score of a majority vote over a uniformly drawn k-subset of a problem's completions.

    `correct_votes` completions give the right answer; `wrong_votes` holds one count per distinct
    wrong answer; the rest of `num_samples` give no answer and cast no vote. A tie of m answers that
    holds the right one scores 1/m; a subset without any vote scores 0. Exact: no resampling.
    Returns (len(ks),) in [0, 1], NaN where k exceeds num_samples.
    """
    wrong = tuple(sorted((int(count) for count in wrong_votes if count), reverse=True))
    blanks = num_samples - correct_votes - sum(wrong)
    assert min(blanks, correct_votes) >= 0, "votes exceed num_samples"
    assert all(k >= 1 for k in ks), f"ks are {list(ks)}, expected each at least 1"
    k_max = max([k for k in ks if k <= num_samples], default=0)
    curve = _curve(int(correct_votes), wrong, int(blanks), k_max)
    return np.array([curve[k] if k <= num_samples else np.nan for k in ks])


@lru_cache(maxsize=65536)
def _curve(correct: int, wrong: tuple[int, ...], blanks: int, k_max: int) -> tuple[float, ...]:
    """maj@k for k = 0 .. k_max, summed over v, the votes that the right answer wins with.

    Above the votes of the strongest rival it wins alone, so that tail is summed in one go. Cached
    because many problems share one multiset of votes (all right, all wrong, one stray).
    """
    contested = min(correct, k_max, max(wrong, default=0))
    total = 1.0 - _hypergeometric(correct, blanks + sum(wrong), contested, k_max).sum(axis=0)
    for v in range(1, contested + 1):
        total += _wins_with(v, correct, wrong, blanks, k_max)
    # Twelve decimals: log-factorials are good to about 1e-13, and unanimity must be exactly 0 or 1.
    return tuple(np.clip(np.round(total, 12), 0.0, 1.0).tolist())


def _wins_with(v: int, correct: int, wrong: tuple[int, ...], blanks: int, k_max: int) -> np.ndarray:
    """(k_max + 1,): P(right answer has exactly v votes, nobody has more) times 1 / (number tied).

    With T wrong answers tied at v votes, 1 / (1 + T) is the integral of t^T over [0, 1], and t^T is
    a product over answers; so each answer is folded in once at Gauss-Legendre nodes, which are
    exact for these polynomials. Answers with fewer than v votes in all can neither win nor tie.
    """
    rivals = [count for count in wrong if count >= v]
    pool = blanks + sum(wrong) - sum(rivals)
    nodes, weights = _unit_nodes(min(len(rivals), k_max // v) // 2 + 1)
    state = np.tile((np.arange(k_max + 1) <= pool).astype(float), (len(nodes), 1))
    for count in rivals:
        chance = _hypergeometric(count, pool, v, k_max)
        terms = [_shift(state, x) * chance[x] for x in range(v + 1)]
        terms[v] *= nodes[:, None]
        state = np.sum(terms, axis=0)
        pool += count
    right = _hypergeometric(correct, pool, v, k_max)[v]
    return np.asarray(weights @ (_shift(state, v) * right))


def _shift(state: np.ndarray, by: int) -> np.ndarray:
    """Columns moved right by `by`, zeros coming in: (Q, K) -> (Q, K)."""
    moved = np.zeros_like(state)
    moved[:, by:] = state[:, : state.shape[1] - by]
    return moved


@lru_cache(maxsize=64)
def _unit_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=65536)
def _hypergeometric(count: int, pool: int, x_max: int, k_max: int) -> np.ndarray:
    """[x, s] = P(x of `count` special items among s drawn from count + pool), x <= x_max, s <= k_max."""
    x, s = np.arange(x_max + 1)[:, None], np.arange(k_max + 1)[None, :]
    possible = (x <= count) & (s >= x) & (s - x <= pool)
    rest = np.where(possible, s - x, 0)
    x, s = np.where(possible, x, 0), np.where(possible, s, 0)
    log_chance = _log_choose(count, x) + _log_choose(pool, rest) - _log_choose(count + pool, s)
    return np.where(possible, np.exp(log_chance), 0.0)


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    table = _log_factorials(1 << n.bit_length())
    return np.asarray(table[n] - table[k] - table[n - k])


@lru_cache(maxsize=64)
def _log_factorials(n: int) -> np.ndarray:
    """log 0! .. log n!."""
    return np.array([lgamma(i + 1) for i in range(n + 1)])
