"""Every statistic and verdict against a second, slow calculation that shares no code with the first."""

from functools import cache
from itertools import pairwise
from math import gamma, log2, pi, sqrt

import numpy as np
import polars as pl
import pytest

from echochamber.claims.judge import judge
from echochamber.claims.select import settings
from echochamber.core.formats import FORMAT_NAMES
from echochamber.papers.echo_chamber.claim_set import CLAIMS

from .paperlike import LARGE, SMALL, STEPS, effects, tables

M, LAST = "tg_omi1_omi2", STEPS[-1]
FIVE = ("tg", "tg_4xomi1", "tg_omi2", "omi2_mmqa", "tg_omi1_omi2")
SEVEN = ("tg_omi1", "tg_2xomi1", "tg_4xomi1", "tg_8xomi1", "tg_omi2", "omi2_mmqa", "tg_omi1_omi2")
COPIES = {"tg": 1, "2xtg": 2, "4xtg": 4, "8xtg": 8}


class Rows:
    """Single cells of the tables, looked up one by one."""

    def __init__(self, found):
        self.found = found
        self.cells = {
            tuple(
                row[c]
                for c in (
                    "mixture",
                    "size",
                    "arm",
                    "seed",
                    "problem_set",
                    "split",
                    "temperature",
                    "step",
                    "quantity",
                    "from_step",
                )
            ): row["value"]
            for row in found.frames["scores"].iter_rows(named=True)
        }
        self.half = {
            tuple(row[c] for c in ("mixture", "arm", "seed", "temperature", "step", "half", "k")): row[
                "value"
            ]
            for row in found.frames["halves"].iter_rows(named=True)
        }
        self.seeds = found.frames["runs"]["seed"].unique().sort().to_list()

    def score(
        self,
        mixture,
        arm,
        seed,
        quantity,
        step,
        problems="easy",
        split="test",
        temperature=1.0,
        size=SMALL,
        start=None,
    ):
        return self.cells[
            mixture,
            size,
            "base" if step == 0 else arm,
            seed,
            problems,
            split,
            temperature,
            step,
            quantity,
            start,
        ]

    def each(self, compute):
        return {seed: compute(seed) for seed in self.seeds}

    def gain(self, mixture, arm, quantity, problems="easy"):
        return self.each(
            lambda s: (
                self.score(mixture, arm, s, quantity, LAST, problems)
                - self.score(mixture, arm, s, quantity, 0, problems)
            )
        )

    def shares(self, mixture, arm, seed, step=LAST, size=SMALL, start=None):
        names = [*FORMAT_NAMES, "tinygsm_single"]
        wanted = [
            (
                name,
                (
                    mixture,
                    size,
                    "base" if step == 0 else arm,
                    seed,
                    "easy",
                    "test",
                    1.0,
                    step,
                    f"share/{name}",
                    start,
                ),
            )
            for name in names
        ]
        return {name: self.cells[key] for name, key in wanted if key in self.cells}

    def known(self, *place, **more):
        return sorted(
            (share for name, share in self.shares(*place, **more).items() if name != "other"), reverse=True
        )

    def first(self, *place, **more):
        shares = self.shares(*place, **more)
        return sorted(shares, key=lambda name: (-shares[name], name))[0]

    def lead(self, mixture, arm, seed, name):
        shares = self.shares(mixture, arm, seed)
        return shares.get(name, 0.0) - max(share for other, share in shares.items() if other != name)

    def training(self, mixture, arm, seed, quantity):
        frame = self.found.frames["training"]
        mine = (
            (pl.col("mixture") == mixture)
            & (pl.col("arm") == arm)
            & (pl.col("seed") == seed)
            & (pl.col("quantity") == quantity)
        )
        return frame.filter(mine & (pl.col("size") == SMALL)).sort("step")["value"].to_list()

    def epoch_top(self, mixture, seed):
        return max(
            np.mean(self.training(mixture, "ppo", seed, f"share/{name}")[60:64])
            for name in ("tinygsm", "omi1")
        )

    def moved(self, mixture, arm, seed):
        a, b = self.shares(mixture, arm, seed, 0), self.shares(mixture, arm, seed)
        return 0.5 * sum(abs(a[name] - b[name]) for name in a)

    def fall(self, mixture, seed, k, temperatures):
        """Earlier maximum picked on one half and measured on the other."""
        curve = {
            (half, step): self.half[
                mixture, "base" if step == 0 else "ppo", seed, temperatures[step], step, half, k
            ]
            for half in (0, 1)
            for step in (0, *STEPS)
        }
        total = 0.0
        for pick, measure in ((0, 1), (1, 0)):
            best = 0
            for step in STEPS[:-1]:
                best = step if curve[pick, step] > curve[pick, best] else best
            total += curve[measure, best] - curve[measure, LAST]
        return total / 2


def parts_of(number, rows):
    """[(condition, seeds, rule, low bound, high bound)].

    The bounds are equal but for `within` and references.
    """
    s, e = rows.score, rows.each
    if number == 1:
        twins = list(e(lambda seed: rows.epoch_top("twins", seed)).values())
        half = quantile(len(twins) - 1) * np.std(twins, ddof=1) / sqrt(len(twins))
        top = e(lambda seed: rows.epoch_top(M, seed))
        return [
            ("", top, "above", 0.9, 0.9),
            ("", top, "above", np.mean(twins) - half, np.mean(twins) + half),
        ]
    if number == 2:

        def apart(seed):
            grid = (0, *STEPS)
            change = [
                sum(
                    abs(rows.shares(M, "ppo", seed, a)[n] - rows.shares(M, "ppo", seed, b)[n])
                    for n in rows.shares(M, "ppo", seed)
                )
                for a, b in pairwise(grid)
            ]
            rise = [
                s(M, "ppo", seed, "accuracy", b) - s(M, "ppo", seed, "accuracy", a) for a, b in pairwise(grid)
            ]
            return abs(change.index(max(change)) - rise.index(max(rise)))

        return [("", e(apart), "below", 1.5, 1.5)]
    if number == 3:
        return [("", rows.gain(M, "ppo", "maj@64"), "above", 0.02, 0.02)]
    if number == 4:

        def best(seed):
            return {
                t: max(
                    (0.7, 1.0, 1.4),
                    key=lambda h: (s(M, "ppo", seed, "pass@64", t, split="dev", temperature=h), -h),
                )
                for t in (0, *STEPS)
            }

        plain = dict.fromkeys((0, *STEPS), 1.0)
        return [
            ("", e(lambda x: rows.fall(M, x, 64, plain)), "above", 0.02, 0.02),
            ("", e(lambda x: rows.fall(M, x, 64, best(x))), "above", 0.02, 0.02),
        ]
    if number == 5:
        found = [("", e(lambda x: rows.known(M, "ppo", x)[1]), "below", 0.05, 0.05)]
        for label, arm in (("KL 0.01", "ppo_kl_1e-2"), ("KL 0.1", "ppo_kl_1e-1"), ("KL 1", "ppo_kl_1")):
            found += [
                (label, e(lambda x, arm=arm: rows.known(M, arm, x)[1]), "above", 0.1, 0.1),
                (
                    label,
                    e(lambda x, arm=arm: s(M, arm, x, "accuracy", LAST) - s(M, "ppo", x, "accuracy", LAST)),
                    "within",
                    -0.03,
                    0.03,
                ),
                (label, rows.gain(M, arm, "pass@64"), "above", -0.02, -0.02),
            ]
        return found
    if number == 6:
        return [
            (
                "",
                e(lambda x: s(M, "ppo_kl_0", x, "accuracy", LAST) - s(M, "ppo", x, "accuracy", LAST)),
                "within",
                -0.03,
                0.03,
            ),
            (
                "",
                e(lambda x: rows.known(M, "ppo_kl_0", x)[0] - rows.known(M, "ppo", x)[0]),
                "within",
                -0.03,
                0.03,
            ),
        ]
    if number == 7:
        fitting = [x for x in rows.seeds if rows.shares("tg_4xomi1", "ppo", x, 0)["omi1"] > 0.5]
        return (
            [("", {x: rows.lead("tg_4xomi1", "ppo", x, "tinygsm") for x in fitting}, "above", 0, 0)]
            if len(fitting) > 2
            else None
        )
    if number == 8:
        plain = dict.fromkeys((0, *STEPS), 1.0)
        return [
            ("", e(lambda x: rows.lead("tg_8xomi1", "ppo", x, "omi1")), "above", 0, 0),
            (
                "",
                e(
                    lambda x: (
                        s("tg_8xomi1", "ppo", x, "accuracy", LAST)
                        - s("tg_4xomi1", "ppo", x, "accuracy", LAST)
                    )
                ),
                "below",
                0,
                0,
            ),
            ("", e(lambda x: rows.fall("tg_8xomi1", x, 1, plain)), "above", 0.02, 0.02),
        ]
    if number == 9:

        def rate(seed):
            right = []
            for m in SEVEN:
                start = rows.shares(m, "ppo", seed, 0)
                skill = {
                    n: s(m, "ppo", seed, f"right/{n}", 0) / share
                    for n, share in start.items()
                    if share >= 0.01 and n != "other"
                }
                right.append(max(sorted(skill), key=skill.get) == rows.first(m, "ppo", seed))
            return sum(right) / len(right)

        return [("", e(rate), "above", 0.5, 0.5)]
    if number == 10:
        x = np.array([log2(c) for c in COPIES.values()])
        return [
            (
                "",
                e(lambda seed, q=q: np.polyfit(x, [s(m, "ppo", seed, q, LAST) for m in COPIES], 1)[0]),
                "above",
                0,
                0,
            )
            for q in ("accuracy", "pass@64", "maj@64")
        ]
    if number == 11:
        return [(m, rows.gain(m, "ppo", "pass@64"), "below", 0.02, 0.02) for m in COPIES] + [
            (m, rows.gain(m, "ppo", "maj@64"), "above", 0.05, 0.05) for m in COPIES
        ]
    if number == 12:

        def moved(arm, seed):
            frame = rows.found.frames["styles"].filter(
                (pl.col("mixture") == "tg") & (pl.col("seed") == seed) & (pl.col("word") == "question")
            )
            return abs(
                frame.filter(pl.col("arm") == arm)["share"].item()
                - frame.filter(pl.col("arm") == "base")["share"].item()
            )

        return [
            ("docstring", e(lambda x: moved("ppo", x)), "above", 0.1, 0.1),
            ("docstring", e(lambda x: moved("ppo", x) - moved("ppo_random", x)), "above", 0.1, 0.1),
        ]
    if number == 13:
        gap = np.mean(
            [
                s(M, "", x, "accuracy", 0) - s(M, "", x, "accuracy", 0, size=LARGE, start=100)
                for x in rows.seeds
            ]
        )
        differ = e(
            lambda x: float(
                rows.first(M, "ppo_matched", x) != rows.first(M, "ppo_matched", x, size=LARGE, start=100)
            )
        )
        return [("sizes", differ, "above", 0.5, 0.5)] if abs(gap) <= 0.05 else None
    if number == 14:

        def drop(arm, seed):
            reward = rows.training(M, arm, seed, "reward")
            return max(reward[i] - reward[j] for i in range(len(reward)) for j in range(i, len(reward)))

        return [
            ("", e(lambda x: rows.lead(M, "grpo", x, rows.first(M, "ppo", x))), "above", 0, 0),
            ("", e(lambda x: drop("grpo", x) - drop("ppo", x)), "above", 0, 0),
        ]
    if number == 15:
        best = max(
            ("ei_lr_low", "ei", "ei_lr_high"),
            key=lambda arm: np.mean([s("8xtg", arm, x, "accuracy", LAST, split="dev") for x in rows.seeds]),
        )
        return [
            ("", e(lambda x: rows.moved("8xtg", best, x) - rows.moved("8xtg", "ppo", x)), "below", 0, 0),
            (
                "",
                e(lambda x: s("8xtg", best, x, "accuracy", LAST) - s("8xtg", "ppo", x, "accuracy", LAST)),
                "below",
                0,
                0,
            ),
        ]
    if number == 16:
        return [(m, rows.gain(m, "ppo", "accuracy", "hard"), "above", 0, 0) for m in FIVE]
    if number == 17:
        gains = {m: rows.gain(m, "ppo", "accuracy", "hard") for m in FIVE}
        return [
            (
                "",
                e(
                    lambda x: (
                        np.mean([gains[m][x] for m in FIVE if "omi2" in m])
                        - np.mean([gains[m][x] for m in FIVE if "omi2" not in m])
                    )
                ),
                "above",
                0,
                0,
            )
        ]
    if number == 18:
        return [(m, rows.gain(m, "ppo", "accuracy", "beyond"), "within", -0.02, 0.02) for m in FIVE] + [
            (m, rows.gain(m, "ppo", "pass@64", "beyond"), "above", 0, 0) for m in FIVE
        ]
    if number == 19:
        first, second = (
            rows.gain("tg_omi2_planted", "ppo", "accuracy", name) for name in ("overlap", "overlap_clean")
        )
        return [("", e(lambda x: first[x] - second[x]), "above", 0, 0)]
    if number == 20:
        return [
            (
                m,
                e(
                    lambda x, m=m: (
                        rows.gain(m, "ppo_hard", "accuracy", "hard")[x]
                        - rows.gain(m, "ppo", "accuracy", "hard")[x]
                    )
                ),
                "below",
                0,
                0,
            )
            for m in ("tg", "tg_omi2", "tg_omi1_omi2")
        ]
    if number == 21:
        frame = rows.found.frames["forecasts"].filter(
            (pl.col("mixture") == M) & (pl.col("forecast") == "kl_optimum")
        )
        return [
            (
                arm,
                e(
                    lambda x, arm=arm: frame.filter((pl.col("arm") == arm) & (pl.col("seed") == x))[
                        "total_variation"
                    ].item()
                ),
                "below",
                0.1,
                0.1,
            )
            for arm in ("ppo_kl_1", "ppo_kl_3e-1")
        ]
    assert number == 22
    return [
        ("", e(lambda x, arm=arm: rows.known(M, arm, x)[0]), "above", 0.9, 0.9)
        for arm in ("ppo", "grpo", "ei")
    ]


GRID = np.linspace(0, 400, 100_001)


def tail(value, degrees):
    """P(T > value) by the trapezium rule on the density, beyond 400 by its power law."""
    scale = gamma((degrees + 1) / 2) / (sqrt(degrees * pi) * gamma(degrees / 2))
    density = scale * (1 + GRID**2 / degrees) ** (-(degrees + 1) / 2)
    rest = scale * degrees ** ((degrees + 1) / 2) / degrees * GRID[-1] ** -degrees
    beyond = value <= GRID
    return (
        float(np.trapezoid(density[beyond], GRID[beyond])) + rest
        if value < GRID[-1]
        else scale * degrees ** ((degrees - 1) / 2) * value**-degrees
    )


def quantile(degrees):
    """The 0.975 quantile, from printed tables."""
    return {1: 12.706205, 2: 4.302653, 3: 3.182446, 4: 2.776445, 5: 2.570582}[degrees]


@cache
def wide(alpha, degrees):
    """Half width of the 1 - alpha interval in standard errors, by bisection on `tail`."""
    low, high = 0.0, 399.0
    for _ in range(40):
        low, high = (
            ((low + high) / 2, high)
            if tail((low + high) / 2, degrees) > alpha / 2
            else (low, (low + high) / 2)
        )
    return low


def cleared(part, alpha):
    """(past, short) of the 1 - alpha interval."""
    _, seeds, rule, low, high = part
    values = np.array(list(seeds.values()), dtype=float)
    error = values.std(ddof=1) / sqrt(len(values))
    half = wide(round(alpha, 12), len(values) - 1) * error
    left, right = values.mean() - half, values.mean() + half
    if rule == "above":
        return left > high, right < low
    if rule == "below":
        return right < low, left > high
    return left > low and right < high, right < low or left > high


def stepped(parts, side):
    """Which parts Holm rejects: the smallest level at alpha/m, the next at alpha/(m-1), until one fails."""
    rejected: set[int] = set()
    while len(rejected) < len(parts):
        level = 0.05 / (len(parts) - len(rejected))
        more = {i for i, part in enumerate(parts) if i not in rejected and cleared(part, level)[side]}
        if not more:
            break
        rejected |= more
    return rejected


def verdict(number, parts):
    if parts is None:
        return "not testable here"
    if number in (5, 12, 13):
        places = sorted({part[0] for part in parts if part[0]})
        mine = {place: [part for part in parts if part[0] in ("", place)] for place in places}
        # Holm's first step is all that one success needs.
        if any(all(cleared(part, 0.05 / len(places))[0] for part in mine[place]) for place in places):
            return "supported"
        return (
            "contradicted"
            if all(any(cleared(part, 0.05)[1] for part in mine[place]) for place in places)
            else "inconclusive"
        )
    families = {}
    for part in parts:
        families.setdefault((part[2], part[3], part[4]) if part[0] else id(part), []).append(part)
    if any(stepped(family, 1) for family in families.values()):
        return "contradicted"
    if number == 16:
        return "supported" if len(stepped(parts, 0)) == len(parts) else "inconclusive"
    return "supported" if all(cleared(part, 0.05)[0] for part in parts) else "inconclusive"


def shaken(number):
    """The study in which all claims hold, with effects and spreads moved about."""
    stream, found = np.random.default_rng(number), effects()
    for arm in found.values():
        for name, ends in arm.items():
            if isinstance(ends, tuple) and stream.random() < 0.35:
                arm[name] = (ends[0], float(np.clip(ends[1] + stream.normal(0, 0.08), 0.0, 1.0)))
            elif (
                isinstance(ends, float)
                and name.startswith(("peak", "tv", "reward"))
                and stream.random() < 0.5
            ):
                arm[name] = float(max(0.0, ends + stream.normal(0, 0.05)))
    return tables(found, seeds=range(3 if number % 2 else 6), noise=(0.003, 0.01, 0.03)[number % 3])


@pytest.mark.parametrize("number", range(8))
@pytest.mark.medium
def test_estimates_and_verdicts_of_a_second_calculation(number):
    found = shaken(number)
    rows, seen = Rows(found), []
    for claim in CLAIMS.values():
        line, parts = judge(claim, found), parts_of(claim.number, rows)
        assert len(line.criteria) == len(parts or ()), (claim.number, line.reason)

        def key(seeds):
            return [round(v, 9) + 0.0 for v in seeds.values()]

        assert sorted(key(part.estimate.seeds) for part in line.criteria) == sorted(
            key(part[1]) for part in parts or ()
        ), claim.number
        assert line.verdict == verdict(claim.number, parts), (claim.number, line)
        seen.append(line.verdict)
    assert len(set(seen)) > 1
    assert settings(found, next(iter_arms(found)))["steps"] == LAST


def iter_arms(found):
    from echochamber.claims.select import Arm

    return (Arm(mixture, arm, size) for mixture, size, arm in found.runs)


def test_the_chance_of_two_intervals_being_near_is_a_count():
    for count in (3, 7, 9):
        near = sum(abs(a - b) <= 1 for a in range(count) for b in range(count)) / count**2
        assert near == pytest.approx((3 * count - 2) / count**2)
