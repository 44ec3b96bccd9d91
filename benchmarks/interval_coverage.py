"""How often nominal 95% intervals cover the truth, by simulation.

    python benchmarks/interval_coverage.py

prints the tables of docs/statistics.md in a few minutes.

A world: every seed has its own true share, drawn around `share` (Beta, standard deviation `spread` of
the largest possible one); every problem its own share around that (Beta, intra-problem
correlation `CLUSTERING`); then 16 completions a problem. Within a seed the target is the seed's own
share, over seeds it is `share`.
"""

import numpy as np

from echochamber.stats.bootstrap import mean_interval, paired_interval, problem_weights
from echochamber.stats.intervals import share_interval, t_interval

SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
PROBLEMS = (50, 200, 1000)
SEEDS = (3, 5, 10)
WORLDS = {50: 2000, 200: 2000, 1000: 600}
"""Simulated worlds over seeds, by number of problems."""
CLUSTERING, COMPLETIONS = 0.3, 16


def beta(
    stream: np.random.Generator, mean: np.ndarray, correlation: float, size: tuple[int, ...]
) -> np.ndarray:
    """Beta draws whose variance is `correlation` x mean (1 - mean)."""
    concentration = 1 / correlation - 1
    return stream.beta(
        np.maximum(mean * concentration, 1e-9), np.maximum((1 - mean) * concentration, 1e-9), size=size
    )


def estimates(stream: np.random.Generator, seed_share: np.ndarray, problems: int) -> np.ndarray:
    """Per-problem observed shares: (..., P)."""
    own = beta(stream, seed_share[..., None], CLUSTERING, (*seed_share.shape, problems))
    return stream.binomial(COMPLETIONS, own) / COMPLETIONS


def within_seed(share: float, problems: int, worlds: int = 600, seed: int = 0) -> float:
    """Coverage of the bootstrap by problem."""
    stream, weights = np.random.default_rng([seed, problems]), problem_weights(problems, seed, resamples=600)
    observed = estimates(stream, np.full(worlds, share), problems)
    return covered(share, [mean_interval(weights, values) for values in observed])


def paired_change(
    share: float, problems: int, change: float = 0.1, worlds: int = 400, seed: int = 2
) -> float:
    """Coverage of the paired bootstrap for a mean change whose size differs by problem."""
    stream, weights = np.random.default_rng([seed, problems]), problem_weights(problems, seed, resamples=600)
    found = []
    for _ in range(worlds):
        before = beta(stream, np.full(problems, share), CLUSTERING, (problems,))
        after = before + (1 - before) * change / (1 - share)  # mean change: `change`
        first, second = (stream.binomial(COMPLETIONS, own) / COMPLETIONS for own in (before, after))
        found.append(paired_interval(weights, first, second))
    return covered(change, found)


def over_seeds(
    share: float, seeds: int, problems: int, spread: float = 0.1, worlds: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """Coverage of `t_interval` and of `share_interval`; `spread` is relative to sqrt(share (1 - share))."""
    stream = np.random.default_rng([seed, seeds, problems])
    own = beta(stream, np.full((worlds, seeds), share), spread**2, (worlds, seeds))
    observed = np.stack([estimates(stream, own[:, i], problems).mean(1) for i in range(seeds)], axis=1)
    return covered(share, [t_interval(row) for row in observed]), covered(
        share, [share_interval(row) for row in observed]
    )


def covered(share: float, intervals: list[tuple[float, float]]) -> float:
    """How often `share` lies within."""
    return float(np.mean([low <= share <= high for low, high in intervals]))


def table(title: str, columns: list[str], rows: list[tuple[str, list[float]]]) -> str:
    """A Markdown table of percentages."""
    lines = ["", f"| {title} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join(
        lines
        + [f"| {name} | " + " | ".join(f"{100 * v:.1f}" for v in values) + " |" for name, values in rows]
    )


def main() -> None:
    """Print every table."""
    shares = [str(share) for share in SHARES]
    print(table("problems", shares, [(str(p), [within_seed(s, p) for s in SHARES]) for p in PROBLEMS]))
    changed = SHARES[:-2]
    print(
        table(
            "paired change of 0.1",
            shares[:-2],
            [(f"{p} problems", [paired_change(s, p) for s in changed]) for p in PROBLEMS],
        )
    )
    for spread in (0.1, 0.4):
        cells = {
            (n, p): [over_seeds(s, n, p, spread, worlds=WORLDS[p]) for s in SHARES]
            for n in SEEDS
            for p in PROBLEMS
        }
        for i, name in enumerate(("Student t", "as shown")):
            rows = [
                (f"{n} seeds, {p} problems", [pair[i] for pair in pairs]) for (n, p), pairs in cells.items()
            ]
            print(table(f"{name}, spread {spread}", shares, rows))


if __name__ == "__main__":
    main()
