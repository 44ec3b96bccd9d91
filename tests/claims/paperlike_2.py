"""Tables of an invented study in which every claim of version 2 holds; tests change one effect at a time."""

from typing import Any

import numpy as np

from echochamber.core.keys import key
from echochamber.core.study_tables import (
    AFTER_RL,
    BASE,
    SCHEMAS,
    Tables,
    floor_item,
    frame_of,
    half_floor_item,
)
from echochamber.papers.echo_chamber_2 import places as p

SIZES = ("nano-0.2m", "nano-0.8m", "nano-3m", "nano-10m")
SEEDS = range(10, 18)
LAST, STEPS, HEATS = 64, (4, 16, 64), (0.7, 1.0, 1.4)
Effects = dict[tuple[str, str, str], dict[str, Any]]
"""(mixture, arm, size) -> quantity, with `@set` where not the headline's -> (base, end); and settings."""

LEVELS = {
    "accuracy": (0.3, 0.8),
    "greedy": (0.4, 0.85),
    "maj@64@all": (0.55, 0.7),
    "pass@64@all": (0.75, 0.7),
    "greedy@hard": (0.05, 0.2),
    "accuracy@hard": (0.04, 0.15),
    "greedy@beyond": (0.03, 0.032),
    "accuracy@beyond": (0.02, 0.021),
    "pass@64@beyond": (0.3, 0.4),
    "floor steps all": (0.5, 0.6),
    "floor chance all": (0.2, 0.15),
    "floor steps beyond": (0.1, 0.2),
    "floor chance beyond": (0.15, 0.14),
}


def shares(
    base: dict[str, float], accuracy: dict[str, float], winner: str | None, top: float = 0.96
) -> dict[str, Any]:
    """Base shares and accuracies, and shares at the end: `top` for the winner, nobody's are spread evenly."""
    names = list(base)
    rest = (1 - top) / max(len(names) - 1, 1)
    last = {n: 1 / len(names) if winner is None else top if n == winner else rest for n in names}
    found: dict[str, Any] = {f"share/{n}": (base[n], last[n]) for n in names}
    found |= {f"right/{n}": (base[n] * accuracy[n], last[n] * 0.8) for n in names}
    return found | {f"greedy_share/{n}": (base[n], last[n]) for n in names}


def _three(accurate: str, frequent: str, short: str) -> dict[str, Any]:
    names = p.FORMATS
    base = {n: 0.56 if n == frequent else 0.22 for n in names}
    right = {n: 0.6 if n == accurate else 0.25 for n in names}
    tokens = {n: 40.0 if n == short else 60.0 for n in names}
    return LEVELS | shares(base, right, accurate) | {"tokens": tokens}


MORE_OMI2 = {"tinygsm": 0.22, "omi1": 0.22, "omi2": 0.56}
EQUALLY = dict.fromkeys((*p.FORMATS, "tinygsm_tick"), 0.4)


def effects() -> Effects:
    """A study in which all 22 claims are supported."""
    small, found = SIZES[0], Effects()
    roles = {"tg": "tinygsm", "omi1": "omi1", "omi2": "omi2"}
    for mixture in p.FACTORIAL:
        _, accurate, _, frequent, _, short = mixture.split("_")
        found[mixture, p.NEUTRAL, small] = _three(roles[accurate], roles[frequent], roles[short])
    three = found[p.THREE, p.NEUTRAL, small]
    three |= {"peak@64": 0.08, "rise": True, "reward fall": 0.05}
    for name in (p.PAPER, p.OTHER_NEUTRAL, p.SECOND_STREAM, *p.KL_0):
        found[p.THREE, name, small] = dict(three)
    found[p.THREE, p.GRPO, small] = three | {"reward fall": 0.2}
    alive = shares(
        {"tinygsm": 0.22, "omi1": 0.22, "omi2": 0.56}, dict.fromkeys(p.FORMATS, 0.4), "tinygsm", 0.7
    )
    for weight, name in p.KL_WEIGHTS.items():
        found[p.THREE, name, small] = three | alive | {"kl_weight": float(weight), "tv": 0.1}
        found[p.THREE, name, small]["pass@64@all"] = (0.75, 0.75)
    for name in p.EI.values():
        found[p.THREE, name, small] = three | alive | {"greedy": (0.4, 0.7)}
    found[p.THREE, p.EI_LONG, small] = dict(three)
    for name in p.COIN.values():
        found[p.THREE, name, small] = three | shares(MORE_OMI2, EQUALLY, "omi2", 0.6)
    twins = shares(
        {"tinygsm": 0.5, "tinygsm_tick": 0.5}, dict.fromkeys(("tinygsm", "tinygsm_tick"), 0.4), "tinygsm", 0.6
    )
    for name in (p.NEUTRAL, p.PAPER, p.OTHER_NEUTRAL):
        found[p.TWINS, name, small] = LEVELS | twins | {"tokens": {"tinygsm": 50.0, "tinygsm_tick": 50.0}}
    _repeated(found, small)
    one = shares({"tinygsm": 0.98, "other": 0.02}, {"tinygsm": 0.4, "other": 0.0}, "tinygsm", 0.99)
    for families in (p.COPIES, p.EQUAL_TOKENS):
        for copies, mixture in families.items():
            more = 0.04 * np.log2(copies) if families is p.COPIES else 0.0
            found[mixture, p.NEUTRAL, small] = (
                LEVELS
                | one
                | {
                    "greedy": (0.4, 0.6 + more),
                    "maj@64@all": (0.5, 0.6 + more),
                    "pass@64@all": (0.75, 0.62 + more),
                    "tokens": {"tinygsm": 50.0},
                    "docstring": (0.5, 0.9),
                }
            )
    found[p.ONE_FORMAT, p.COIN[p.NEUTRAL], small] = found[p.ONE_FORMAT, p.NEUTRAL, small] | {
        "docstring": (0.5, 0.6)
    }
    for mixture in p.WITH_OMI2:
        found[mixture, p.NEUTRAL, small]["greedy@hard"] = (0.05, 0.3)
    for mixture in p.HARD_MIXTURES:
        found[mixture, p.HARD_ARM, small] = found[mixture, p.NEUTRAL, small] | {"greedy@hard": (0.05, 0.1)}
    found[p.PLANTED, p.NEUTRAL, small] = three | {
        f"{quantity}@{name}": (0.4, 0.7 if name == "overlap" else 0.6)
        for quantity in ("greedy", "accuracy")
        for name in ("overlap", "overlap_clean")
    }
    for mixture in (p.THREE, "acc_omi1_freq_tg_short_omi2"):
        for number, size in enumerate(SIZES):
            ends = "tinygsm" if number < 2 else "omi2"
            base = {"tinygsm": 0.22, "omi1": 0.22, "omi2": 0.56}
            found[mixture + ("_fewer_tokens" if number else ""), p.MATCHED, size] = LEVELS | shares(
                base, dict.fromkeys(p.FORMATS, 0.4), ends
            )
    return found


def _repeated(found: Effects, size: str) -> None:
    """Four copies of a worse omi1, where tinygsm wins, and eight, where omi1 does."""
    four = shares({"tinygsm": 0.3, "omi1": 0.7}, {"tinygsm": 0.6, "omi1": 0.25}, "tinygsm")
    eight = shares({"tinygsm": 0.15, "omi1": 0.85}, {"tinygsm": 0.5, "omi1": 0.25}, "omi1")
    tokens = {"tokens": {"tinygsm": 50.0, "omi1": 50.0}}
    for name in (p.NEUTRAL, p.PAPER):
        found[p.FREQUENT, name, size] = LEVELS | four | tokens
        found[p.MORE_FREQUENT, name, size] = LEVELS | eight | tokens | {"greedy": (0.3, 0.6), "peak@1": 0.06}


def tables(
    found: Effects, seeds: Any = SEEDS, noise: float = 0.003, wild: dict[str, float] | None = None
) -> Tables:
    """The tables; `wild`: another spread for a quantity of every run, by its name."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for place, arm in found.items():
        for seed in seeds:
            _Run(rows, place, arm, seed, noise, wild or {}).add()
    frames = {name: frame_of(name, of) for name, of in rows.items()}
    for name in ("scores", "halves", "styles"):
        known = [c for c in SCHEMAS[name] if c not in ("value", "share")]
        frames[name] = frames[name].unique(subset=known, keep="first", maintain_order=True)
    about = {"name": "paperlike-2", "headline_set": "easy", "size": SIZES[0], "sizes": list(SIZES)}
    return Tables(frames, about | {"seeds": list(seeds)})


class _Run:
    """One run's rows."""

    def __init__(self, rows, place, arm, seed, noise, wild) -> None:
        self.rows, self.arm, self.noise, self.wild, self.seed = rows, arm, noise, wild, seed
        self.mixture, self.name, self.size = place
        self.run = {"mixture": self.mixture, "size": self.size, "arm": self.name, "seed": seed}

    def jitter(self, quantity: str, base: bool = False) -> float:
        """A fixed draw; the base's is one for all arms of a mixture."""
        if quantity in self.wild:
            return self.wild[quantity] * (-1.0, 0.2, 1.0, -0.6, 0.5)[self.seed % 5] * (0.0 if base else 1.0)
        parts = (self.seed, self.mixture, self.size, "" if base else self.name, quantity)
        return self.noise * (key(*parts) / 2**62 - 2)

    def add(self) -> None:
        arm = self.arm
        samples = {"algorithm": self.name.split("_")[0], "reward": "correct", "problem_set": "easy"}
        numbers = {"steps": LAST, "steps_per_epoch": float(LAST), "samples": arm.get("samples", 16384)}
        size = {"prompts_per_step": 32, "samples_per_prompt": 8, "temperature": 1.0, "from_step": None}
        self.rows["runs"].append(
            self.run | samples | numbers | size | {"kl_weight": arm.get("kl_weight", 0.001)}
        )
        for label, ends in arm.items():
            if isinstance(ends, tuple) and not label.startswith(("floor", "docstring")):
                self.score(label, ends)
        self.floors()
        self.halves()
        self.training()
        self.styles()
        for name in ("kl_optimum", "replicator"):
            errors = {"share": 0.9, "brier": 0.1, "hit": True, "winner": "tinygsm"}
            tv = arm.get("tv", 0.3) + abs(self.jitter("tv"))
            self.rows["forecasts"].append(self.run | errors | {"forecast": name, "total_variation": tv})

    def score(self, label: str, ends: tuple[float, float]) -> None:
        quantity, _, problems = (
            label.rpartition("@") if label.count("@") == 2 or _named(label) else (label, "", "")
        )
        where = {"from_step": None, "problem_set": problems or "easy", "evaluation": "", "quantity": quantity}
        dev = HEATS if label == "pass@64@all" else ()
        for split, heats in (("test", (1.0,)), ("dev", dev)):
            for heat in heats:
                at = where | {"split": split, "temperature": heat}
                first = ends[0] + self.jitter(label, base=True)
                self.rows["scores"].append(self.run | at | {"arm": BASE, "step": 0, "value": first})
                for step in STEPS:
                    value = ends[0] + (ends[1] - ends[0]) * step / LAST + self.jitter(label)
                    self.rows["scores"].append(self.run | at | {"step": step, "value": value})

    def floors(self) -> None:
        for label, ends in self.arm.items():
            if label.startswith("floor"):
                _, kind, problems = label.split()
                for when, value in zip((BASE, AFTER_RL), ends, strict=True):
                    item = {"analysis": f"floors/{problems}", "item": floor_item(when, kind, 64)}
                    self.rows["findings"].append(
                        self.run | item | {"value": value + self.jitter(f"{label} {when}")}
                    )

    def halves(self) -> None:
        """pass@k peaks at step 16, `peak@k` above its end; the chance floor is 0.1 throughout."""
        for k, problems in ((1, "easy"), (64, "all")):
            drop = self.arm.get(f"peak@{k}")
            for heat in HEATS if drop is not None else ():
                for half in (0, 1):
                    for step in (0, *STEPS):
                        top = drop + self.jitter(f"peak@{k}") if step == 16 else 0.0
                        value = 0.7 + top - (0.1 if step == 0 else 0.0)
                        where = {
                            "from_step": None,
                            "problem_set": problems,
                            "split": "test",
                            "temperature": heat,
                        }
                        row = where | {"evaluation": "", "step": step, "half": half, "k": k, "value": value}
                        arm = {"arm": self.name if step else BASE}
                        self.rows["halves"].append(self.run | row | arm)
                        floor = {
                            "analysis": f"half_floors/{problems}",
                            "item": half_floor_item(heat, step, half),
                        }
                        self.rows["findings"].append(
                            self.run | floor | {"value": self.arm.get("half floor", 0.1)}
                        )

    def training(self) -> None:
        """Shares move and the reward rises at a step of the seed's own; the reward falls once, later on."""
        known = {n: v for n, v in self.arm.items() if n.startswith("share/")}
        moved = 8 + 4 * (self.seed % 9) if self.arm.get("rise") else 20
        risen = self.arm.get("gain at", {}).get(self.seed, moved)
        fall = self.arm.get("reward fall", 0.02) + self.jitter("reward fall")
        for step in range(1, LAST + 1):
            values = {"reward": 0.3 + (0.5 if step >= risen else 0.0) - (fall if 54 <= step < 60 else 0.0)}
            for name, (first, last) in known.items():
                values[name] = first if step < moved else last + self.jitter(f"training {name}")
            for quantity, value in values.items():
                self.rows["training"].append(self.run | {"step": step, "quantity": quantity, "value": value})

    def styles(self) -> None:
        shared = {"from_step": None, "completions": 400}
        for name, tokens in self.arm.get("tokens", {}).items():
            style = {
                "arm": BASE,
                "step": 0,
                "format": name,
                "feature": "mean tokens",
                "word": "",
                "share": tokens,
            }
            self.rows["styles"].append(self.run | shared | style)
        for step, share in zip((0, LAST), self.arm.get("docstring", ()), strict=False):
            share += self.jitter("docstring") if step else 0.0
            for word, part in (("question", share), ("none", 1 - share)):
                style = {
                    "step": step,
                    "format": "tinygsm",
                    "feature": "docstring",
                    "word": word,
                    "share": part,
                }
                self.rows["styles"].append(self.run | shared | style | {"arm": self.name if step else BASE})


def _named(label: str) -> bool:
    return label.partition("@")[2] in ("hard", "beyond", "all", "overlap", "overlap_clean")
