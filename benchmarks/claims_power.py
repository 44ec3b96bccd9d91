"""Power of every criterion of version 2 at its planned seeds, simulated with the spreads of version 1.

    python benchmarks/claims_power.py --csv results/echo-chamber/power.csv --into docs/claims.md

Spreads between seeds are those of results/paper-nano, where a like quantity was measured. Its mean stands
beside. A criterion's per-seed estimates are drawn from a normal distribution, shares are cut to [0, 1], and
the judging rules of version 2 decide each draw. `distance` is the smallest distance past the margin at
which 80% of draws decide for the claim. At `mean_1`, the mean of version 1, the shares of draws that
support and that contradict are given. Where one of several places carries a claim, the level is that of
Holm's first step. A criterion of yes and no has the smallest rate of yes with 80% power instead of a
distance.
"""

import argparse
import csv
import io
import re
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np

from echochamber.analysis.study_tables.open import open_tables
from echochamber.claims.crossfit import drop_from_maximum
from echochamber.claims.declare import Claim, Criterion, Seeds
from echochamber.claims.estimate import ALPHA, interval_of
from echochamber.claims.select import Arm, end_shares, gain, mean_over, minus, second_share, shift
from echochamber.core.study_tables import Tables
from echochamber.papers.echo_chamber.claim_set import CLAIMS as FIRST
from echochamber.papers.echo_chamber.coincidence import rollout_peaks
from echochamber.papers.echo_chamber.collapse import epoch_top_share
from echochamber.papers.echo_chamber.copies import TG_COPIES, slope
from echochamber.papers.echo_chamber_2.claim_set import ECHO_CHAMBER_2
from echochamber.papers.echo_chamber_2.outcomes import (
    end_top_share,
    greedy_end,
    greedy_gain,
    largest_fall,
)
from echochamber.papers.echo_chamber_2.places import SEEDS
from echochamber.stats.intervals import clopper_pearson

FIRST_TABLES = Path("results/paper-nano")
MARKS = re.compile(r"(<!-- table: power -->\n).*?(<!-- end -->)", re.DOTALL)
DRAWS, POWER = 600, 0.8
DISTANCES = np.geomspace(0.002, 0.64, 26)
"""Distances past the margin that are tried, from the smallest."""
FAMILIES = {(5, ""): 4, (12, ""): 6, (13, ""): 2, (18, "pass@64_by_right_steps"): 5}
"""(claim, criterion or all) -> places of which one carries it."""
PAIRS_OF_ARMS = 3
Row = dict[str, object]


class Known(NamedTuple):
    """What version 1 measured of a like quantity."""

    seeds: Seeds
    what: str


def first_study(tables: Tables) -> dict[tuple[int, str], Known]:
    """(claim, criterion) -> per-seed values of version 1; of several places the most variable one."""
    three, size = "tg_omi1_omi2", tables.size

    def at(mixture: str, name: str) -> Arm:
        return Arm(mixture, name, size)

    def widest(parts: dict[str, Seeds]) -> tuple[Seeds, str]:
        name = max(parts, key=lambda one: _spread(parts[one]))
        return parts[name], name

    def criterion(number: int, name: str) -> dict[str, Seeds]:
        found = [one for one in FIRST[number].measure(tables).measurements if one.criterion == name]
        return {one.condition or f"claim {number}": one.seeds for one in found}

    ppo, high = at(three, "ppo"), at(three, "ppo_kl_1e-1")
    five = ("tg", "tg_4xomi1", "tg_omi2", "omi2_mmqa", three)
    hard = {m: greedy_gain(tables, at(m, "ppo"), "hard") for m in five}
    tops = {name: end_top_share(tables, at(three, name)) for name in ("ppo", "grpo", "ei")}
    kl_0 = end_top_share(tables, at(three, "ppo_kl_0"))
    with_omi2 = mean_over({m: hard[m] for m in five[2:]}, "with omi2")
    without = mean_over({m: hard[m] for m in five[:2]}, "without")
    found: dict[tuple[int, str], tuple[Seeds, str]] = {
        (1, "share"): (epoch_top_share(tables, ppo), "PPO on three formats"),
        (1, "excess_over_even_twins"): (
            minus(epoch_top_share(tables, ppo), epoch_top_share(tables, at("twins_even", "ppo"))),
            "PPO minus its even twins",
        ),
        (3, "maj@64"): (gain(tables, ppo, "maj@64"), "PPO on three formats"),
        (4, "training_temperature"): (
            drop_from_maximum(tables, ppo, 64, lambda seed, step: 1.0),
            "chance not subtracted",
        ),
        (4, "dev-best_temperature"): widest(criterion(4, "dev-best_temperature")),
        (5, "second_format"): ({s: second_share(of) for s, of in end_shares(tables, high).items()}, "KL 0.1"),
        (5, "pass@1"): (minus(greedy_end(tables, high), greedy_end(tables, ppo)), "KL 0.1, greedy"),
        (5, "pass@64"): (gain(tables, high, "pass@64"), "KL 0.1"),
        (6, "pass@1"): (
            minus(greedy_end(tables, at(three, "ppo_kl_0")), greedy_end(tables, ppo)),
            "one RL seed",
        ),
        (6, "top_share"): (minus(kl_0, tops["ppo"]), "one RL seed"),
        (8, "pass@1"): (
            minus(greedy_end(tables, at("tg_8xomi1", "ppo")), greedy_end(tables, at("tg_4xomi1", "ppo"))),
            "greedy",
        ),
        (8, "late_fall"): widest(criterion(8, "late_fall")),
        (10, "greedy"): (
            slope({c: greedy_end(tables, at(m, "ppo")) for c, m in TG_COPIES.items()}),
            "greedy",
        ),
        (10, "pass@64"): widest(criterion(10, "pass@64")),
        (10, "maj@64"): widest(criterion(10, "maj@64")),
        (11, "pass@64"): widest(criterion(11, "pass@64")),
        (11, "maj@64"): widest(criterion(11, "maj@64")),
        (12, "beyond_coin"): widest(criterion(12, "beyond_random")),
        (14, "fall"): (minus(largest_fall(tables, at(three, "grpo")), largest_fall(tables, ppo)), "smoothed"),
        (15, "shift"): (minus(shift(tables, at(three, "ei")), shift(tables, ppo)), "three formats"),
        (15, "pass@1"): (minus(greedy_end(tables, at(three, "ei")), greedy_end(tables, ppo)), "greedy"),
        (16, "gain"): widest(hard),
        (17, "difference"): (minus(with_omi2, without), "greedy"),
        (18, "pass@1"): widest({m: greedy_gain(tables, at(m, "ppo"), "beyond") for m in five}),
        (18, "pass@64_by_right_steps"): widest({m: _steps_gain(tables, at(m, "ppo")) for m in five}),
        (19, "difference"): (_overlap(tables, at("tg_omi2_planted", "ppo")), "greedy, 128 problems"),
        (20, "difference"): widest(
            {m: _hard_minus_easier(tables, m, size) for m in ("tg", "tg_omi2", three)}
        ),
        (21, "closer_than_no_change"): widest(
            {one.condition: one.seeds for one in FIRST[21].measure(tables).context if "minus" in one.name}
        ),
        (22, "share"): widest(tops),
    }
    return {key: Known(*value) for key, value in found.items()}


def _steps_gain(tables: Tables, one: Arm) -> Seeds:
    floors = tables.findings[one.mixture, one.size, one.arm]["floors/beyond"]
    return minus(floors["after_rl/steps/pass@64"], floors["base/steps/pass@64"])


def _overlap(tables: Tables, one: Arm) -> Seeds:
    return minus(greedy_gain(tables, one, "overlap"), greedy_gain(tables, one, "overlap_clean"))


def _hard_minus_easier(tables: Tables, mixture: str, size: str) -> Seeds:
    arms = (Arm(mixture, name, size) for name in ("ppo_hard", "ppo"))
    first, second = (greedy_gain(tables, one, "hard") for one in arms)
    return minus(first, second)


def _spread(seeds: Seeds) -> float:
    return float(np.std(list(seeds.values()), ddof=1)) if len(seeds) > 1 else 0.0


def decided(criterion: Criterion, draws: np.ndarray, alpha: float) -> tuple[float, float]:
    """(share supported, share contradicted) of draws (D, seeds) at a level."""
    supported = contradicted = 0
    margin = criterion.margin or 0.0
    for values in draws:
        low, high = interval_of(values.tolist(), criterion.scale, 1 - alpha)
        if criterion.rule == "within":
            twice = 2 if criterion.scale == "equivalence" else 1
            inner = interval_of(values.tolist(), criterion.scale, 1 - twice * alpha)
            supported += -margin < inner[0] and inner[1] < margin
            contradicted += low > margin or high < -margin
        else:
            above = criterion.rule == "above"
            supported += low > margin if above else high < margin
            contradicted += high < margin if above else low > margin
    return supported / len(draws), contradicted / len(draws)


def drawn(criterion: Criterion, mean: float, spread: float, seeds: int) -> np.ndarray:
    """Per-seed estimates, (draws, seeds); the same random numbers at every mean."""
    values = mean + spread * np.random.default_rng(0).standard_normal((DRAWS, seeds))
    return np.clip(values, 0, 1) if criterion.scale == "share" else values


def smallest_distance(criterion: Criterion, spread: float, seeds: int, alpha: float) -> float | None:
    """Smallest distance past the margin, on the claimed side, with 80% power; of equivalence inside it."""
    margin = criterion.margin or 0.0
    for distance in DISTANCES:
        step = float(distance) * (-1 if criterion.rule in ("below", "within") else 1)
        if criterion.rule == "within" and distance > margin:
            return None
        if decided(criterion, drawn(criterion, margin + step, spread, seeds), alpha)[0] >= POWER:
            return float(distance)
    return None


def smallest_rate(seeds: int, alpha: float, margin: float) -> float | None:
    """Smallest rate of yes, in hundredths, at which 80% of exact intervals lie above the margin."""
    yes = [n for n in range(seeds + 1) if clopper_pearson(n, seeds, 1 - alpha)[0] > margin]
    for hundredth in range(50, 101):
        rate = hundredth / 100
        if sum(comb(seeds, n) * rate**n * (1 - rate) ** (seeds - n) for n in yes) >= POWER:
            return rate
    return None


def permutation_power(
    tables: Tables, seeds: int, draws: int = 200, orders: int = 500
) -> tuple[float, float, float]:
    """(power, spread of the peaks, of the distances) of claim 2 with version 1's peaks, arms independent."""
    peaks = rollout_peaks(tables, Arm("tg_omi1_omi2", "ppo", tables.size))
    shifts = np.array([one.shift for one in peaks.values()])
    own = np.array([one.gain - one.shift for one in peaks.values()])
    stream, pairs = np.random.default_rng(0), seeds * PAIRS_OF_ARMS
    found = 0
    for _ in range(draws):
        shift_at = stream.normal(shifts.mean(), shifts.std(ddof=1), pairs)
        gain_at = shift_at + stream.normal(own.mean(), own.std(ddof=1), pairs)
        table = np.abs(shift_at[:, None] - gain_at)
        means = [table[np.arange(pairs), stream.permutation(pairs)].mean() for _ in range(orders)]
        found += np.mean([*means, np.trace(table) / pairs] <= np.trace(table) / pairs + 1e-12) <= ALPHA
    return found / draws, float(shifts.std(ddof=1)), float(own.std(ddof=1))


def power_rows(tables: Tables) -> list[Row]:
    """One row per criterion."""
    known = first_study(tables)
    rows: list[Row] = []
    for number, claim in ECHO_CHAMBER_2.by_number.items():
        for criterion in claim.criteria:
            rows.append(_row(tables, claim, criterion, known.get((number, criterion.id))))
    return rows


def _row(tables: Tables, claim: Claim, criterion: Criterion, known: Known | None) -> Row:
    number, seeds = claim.number, SEEDS[claim.number]
    family = FAMILIES.get((number, criterion.id), FAMILIES.get((number, ""), 1))
    alpha = ALPHA / family
    row: Row = {"claim": number, "criterion": criterion.id, "seeds": seeds, "places": family}
    row |= {"rule": criterion.rule, "margin": criterion.margin, "scale": criterion.scale}
    if criterion.scale == "permutation":
        power, spread, apart = permutation_power(tables, seeds)
        what = f"{PAIRS_OF_ARMS} arms; distance within a run spreads by {apart:.2f} steps"
        return row | _cells(spread, what, None, None, power, None)
    if criterion.scale == "yes_no":
        rate = smallest_rate(seeds, alpha, criterion.margin or 0.0)
        return row | _cells(None, "smallest rate of yes", rate, None, None, None)
    assert known is not None, f"claim {number}: nothing of version 1 is like {criterion.id}"
    spread, mean = _spread(known.seeds), float(np.mean(list(known.seeds.values())))
    if number == 6:  # the mean of two RL seeds; version 1 had one
        spread /= 2**0.5
    distance = smallest_distance(criterion, spread, seeds, alpha)
    there = decided(criterion, drawn(criterion, mean, spread, seeds), alpha)
    return row | _cells(spread, known.what, distance, mean, *there)


def _cells(
    spread: float | None,
    what: str,
    distance: float | None,
    mean: float | None,
    supported: float | None,
    contradicted: float | None,
) -> Row:
    found = {"spread": spread, "distance": distance, "mean_1": mean, "supported_1": supported}
    found |= {"contradicted_1": contradicted}
    return {name: None if value is None else float(f"{value:.3g}") for name, value in found.items()} | {
        "of": what
    }


def csv_text(rows: list[Row]) -> str:
    """The rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def markdown(rows: list[Row]) -> str:
    """The rows as a table for docs/claims.md."""
    head = [
        "#",
        "criterion",
        "seeds",
        "spread",
        "distance with 80% power",
        "mean of version 1",
        "decided there",
    ]
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        parts = [row[name] for name in ("supported_1", "contradicted_1")]
        there = ", ".join(str(part) for part in parts if part is not None)
        cells = [row["claim"], f"`{row['criterion']}`", row["seeds"], row["spread"]]
        far = row["distance"] if row["scale"] != "yes_no" else f"rate {row['distance']}"
        missing = "over 0.64" if row["rule"] != "within" else "never"
        far = missing if far is None and row["scale"] != "permutation" else far
        text = ["" if cell is None else str(cell) for cell in (*cells, far, row["mean_1"], there)]
        lines.append(f"| {' | '.join(text)} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--into", type=Path, help="page with a block <!-- table: power -->")
    chosen = parser.parse_args()
    rows = power_rows(open_tables(FIRST_TABLES))
    chosen.csv.parent.mkdir(parents=True, exist_ok=True)
    chosen.csv.write_text(csv_text(rows), encoding="utf-8")
    if chosen.into:
        old, table = chosen.into.read_text(encoding="utf-8"), markdown(rows) + "\n"
        chosen.into.write_text(MARKS.sub(lambda found: found[1] + table + found[2], old), encoding="utf-8")


if __name__ == "__main__":
    main()
