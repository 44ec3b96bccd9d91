"""How well `echochamber discover` finds known formats: adjusted Rand index (ARI) against them.

    python benchmarks/discovery_scores.py                       # rendered mixtures
    python benchmarks/discovery_scores.py RECORDS.parquet ...   # an evaluation's sampled completions

A file is read at its first step, or at its last with `--last`: the first 64 problems with 16 samples each.
The column `format` is the truth, also where it says `other`. Completions of no kind are a class of their own.
Needs the extra [discover].
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score

from echochamber.core.random import generator
from echochamber.data.styles import StyleKnobs, render
from echochamber.data.world import WorldConfig, problem_set
from echochamber.verify.discovery.kinds import find_kinds
from echochamber.verify.discovery.rules import labelled_by, rules_of

PROBLEMS, SAMPLES = 64, 16
ONE: dict[str, object] = {"phrasings": 1}
LINE = ONE | {"docstring": 1, "docstring_form": "line", "full_docstring": 0}
MIXTURES: dict[str, list[tuple[str, dict[str, object], float]]] = {
    "twins of unequal length": [("omi2", ONE | {"latex": 1}, 0.5), ("omi2", ONE | {"latex": 0}, 0.5)],
    "twins of equal length": [
        ("tinygsm", LINE | {"double_quotes": 1}, 0.5),
        ("tinygsm", LINE | {"double_quotes": 0}, 0.5),
    ],
    "four formats": [(name, ONE, 0.25) for name in ("omi1", "omi2", "metamath", "gsm8k")],
    "one format: tinygsm without docstring": [("tinygsm", ONE | {"docstring": 0}, 1.0)],
    "one format: omi1": [("omi1", ONE, 1.0)],
    "one format: omi2": [("omi2", ONE, 1.0)],
}
"""Style, its settings, and its share."""


class Labelled(NamedTuple):
    """Completions with what is known of them."""

    texts: list[str]
    problems: list[str]
    truth: list[str]


def rendered(
    parts: list[tuple[str, dict[str, object], float]], problems: int = 60, samples: int = 8
) -> Labelled:
    """Training documents as completions."""
    world = WorldConfig(families=["shopping", "sharing", "tank", "wages"])
    stream = generator("discovery scores", 0)
    found = Labelled([], [], [])
    for problem in problem_set(world, "medium", "train", problems, 0):
        for _ in range(samples):
            part = int(stream.choice(len(parts), p=[share for *_, share in parts]))
            style, knobs, _ = parts[part]
            found.texts.append(render(problem, style, stream, StyleKnobs.parse(knobs, "knobs")))
            found.problems.append(problem.id)
            found.truth.append(str(part))
    return found


def sampled(path: Path, last: bool) -> Labelled:
    """An evaluation's sampled completions of one checkpoint."""
    rows = pl.read_parquet(path).filter(pl.col("sample").is_between(0, SAMPLES - 1))
    step = rows["step"].max() if last else rows["step"].min()
    kept = rows["problem_id"].unique(maintain_order=True)[:PROBLEMS]
    rows = rows.filter((pl.col("step") == step) & pl.col("problem_id").is_in(kept.implode()))
    return Labelled(rows["text"].to_list(), rows["problem_id"].to_list(), rows["format"].to_list())


def line(name: str, given: Labelled) -> str:
    """Number of kinds, and both indices; an index of no kinds says nothing."""
    found = find_kinds(given.texts, given.problems)
    share = np.mean([label != "other" for label in given.truth])
    head = f"{name}: {len(given.texts)} completions, {100 * share:.1f}% in a known format; "
    if not found.stability:
        return head + f"no stable kinds (clusters: {len(found.candidates)})"
    by_rule = labelled_by(rules_of(given.texts, found.labels), given.texts)
    clusters, block = (adjusted_rand_score(given.truth, labels) for labels in (found.labels, by_rule))
    least = min(found.stability)
    scores = f"ARI {clusters:.3f}, of the block {block:.3f}"
    return head + f"{len(found.stability)} kinds, stability {least:.2f} or more, {scores}"


def main() -> None:
    """Print a line per mixture or file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--last", action="store_true")
    given = parser.parse_args()
    for path in given.files:
        print(line(str(path), sampled(path, given.last)), flush=True)
    for name, parts in ({} if given.files else MIXTURES).items():
        print(line(name, rendered(parts)), flush=True)


if __name__ == "__main__":
    main()
