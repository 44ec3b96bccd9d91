"""Tables of an invented study in which every claim holds; tests change one effect and know the verdict."""

from typing import Any
from zlib import crc32

import numpy as np

from echochamber.core.study_tables import BASE, SCHEMAS, Tables, frame_of

SMALL, LARGE = "nano-0.8m", "nano-3m"
SEEDS = range(6)
STEPS = (1, 2, 4, 8, 16, 32, 64)
EPOCH = 64
HEATS = (0.7, 1.0, 1.4)
COPIES = {"tg": 0, "2xtg": 1, "4xtg": 2, "8xtg": 3}
THREE = {
    "share/tinygsm": (0.45, 0.96),
    "share/omi1": (0.35, 0.02),
    "share/omi2": (0.2, 0.01),
    "share/other": (0.0, 0.01),
}
RIGHT = {
    "right/tinygsm": (0.32, 0.8),
    "right/omi1": (0.15, 0.01),
    "right/omi2": (0.04, 0.0),
    "right/other": (0.0, 0.0),
}
SCORES = {"accuracy": (0.5, 0.8), "pass@64": (0.88, 0.86), "maj@64": (0.6, 0.72)}
HARD = {"accuracy@hard": (0.2, 0.3), "accuracy@beyond": (0.05, 0.052), "pass@64@beyond": (0.3, 0.38)}
Effects = dict[str, dict[str, Any]]


def effects() -> Effects:
    """`mixture/arm/size` -> quantity (with `@set` where not the headline's) -> (base, end), and settings."""
    plain = THREE | RIGHT | SCORES | HARD
    found: Effects = {
        f"{m}/ppo/{SMALL}": dict(plain)
        for m in ("tg_omi1_omi2", "tg_omi2", "omi2_mmqa", "tg_omi1", "tg_2xomi1", "tg_4xomi1", "tg_8xomi1")
    }
    for mixture in ("tg_omi2", "omi2_mmqa", "tg_omi1_omi2"):
        found[f"{mixture}/ppo/{SMALL}"]["accuracy@hard"] = (0.2, 0.4)
    found[f"tg_4xomi1/ppo/{SMALL}"] |= {
        "share/omi1": (0.6, 0.02),
        "share/tinygsm": (0.3, 0.96),
        "share/omi2": (0.1, 0.02),
        "right/tinygsm": (0.24, 0.8),
        "right/omi1": (0.2, 0.01),
    }
    found[f"tg_8xomi1/ppo/{SMALL}"] |= {
        "share/omi1": (0.8, 0.96),
        "share/tinygsm": (0.15, 0.02),
        "share/omi2": (0.05, 0.01),
        "right/omi1": (0.5, 0.6),
        "right/tinygsm": (0.07, 0.0),
        "accuracy": (0.5, 0.65),
        "peak@1": 0.06,
    }
    for mixture, doublings in COPIES.items():
        arm = {
            "share/tinygsm": (0.95, 0.99),
            "share/other": (0.05, 0.01),
            "right/tinygsm": (0.4, 0.7),
            "right/other": (0.0, 0.0),
        } | HARD
        arm |= {
            "accuracy": (0.4, 0.6 + 0.05 * doublings),
            "pass@64": (0.9, 0.8 + 0.03 * doublings),
            "maj@64": (0.5, 0.7 + 0.04 * doublings),
        }
        found[f"{mixture}/ppo/{SMALL}"] = arm
    found[f"8xtg/ppo/{SMALL}"] |= {"share/tinygsm": (0.6, 0.99), "share/other": (0.4, 0.01)}
    for name, final in (("ei_lr_low", 0.55), ("ei", 0.6), ("ei_lr_high", 0.5)):
        arm = dict(found[f"8xtg/ppo/{SMALL}"])
        arm |= {
            "accuracy": (0.4, final),
            "accuracy/dev": (0.4, final),
            "share/tinygsm": (0.6, 0.7),
            "share/other": (0.4, 0.3),
        }
        found[f"8xtg/{name}/{SMALL}"] = arm
    low = found[f"tg_omi1_omi2/ppo/{SMALL}"]
    low |= {"peak@64": 0.06, "training": (0.5, 0.97), "reward drop": 0.05, "pass@64/dev": (0.8, 0.8)}
    alive = {
        "share/tinygsm": (0.45, 0.8),
        "share/omi1": (0.35, 0.18),
        "share/omi2": (0.2, 0.02),
        "pass@64": (0.88, 0.88),
    }
    for name in ("ppo_kl_0", "grpo", "ei"):
        found[f"tg_omi1_omi2/{name}/{SMALL}"] = dict(plain) | {"reward drop": 0.2}
    for name, weight in (
        ("ppo_kl_1e-2", 0.01),
        ("ppo_kl_1e-1", 0.1),
        ("ppo_kl_1", 1.0),
        ("ppo_kl_3e-1", 0.3),
    ):
        found[f"tg_omi1_omi2/{name}/{SMALL}"] = dict(plain) | alive | {"kl_weight": weight, "tv": 0.04}
    found[f"tg_omi1_omi2/ppo_random/{SMALL}"] = dict(plain) | {"training": (0.5, 0.6)}
    found[f"twins/ppo/{SMALL}"] = {
        "share/tinygsm": (0.5, 0.6),
        "share/tinygsm_single": (0.5, 0.4),
        "training": (0.5, 0.6),
        "accuracy": (0.5, 0.7),
    }
    found[f"tg/ppo/{SMALL}"] |= {"docstring": (0.5, 0.9)}
    found[f"tg/ppo_random/{SMALL}"] = dict(found[f"tg/ppo/{SMALL}"]) | {"docstring": (0.5, 0.55)}
    for mixture in ("tg", "tg_omi2", "tg_omi1_omi2"):
        found[f"{mixture}/ppo_hard/{SMALL}"] = dict(found[f"{mixture}/ppo/{SMALL}"]) | {
            "accuracy@hard": (0.2, 0.24)
        }
    found[f"tg_omi2_planted/ppo/{SMALL}"] = dict(plain) | {
        "accuracy@overlap": (0.4, 0.7),
        "accuracy@overlap_clean": (0.4, 0.6),
    }
    found[f"tg_omi1_omi2/ppo_matched/{SMALL}"] = dict(plain)
    found[f"tg_omi1_omi2/ppo_matched/{LARGE}"] = dict(plain) | {
        "share/tinygsm": (0.2, 0.02),
        "share/omi2": (0.45, 0.96),
        "from_step": 100,
    }
    return found


def tables(
    found: Effects, seeds: Any = SEEDS, noise: float = 0.003, wild: dict[str, float] | None = None
) -> Tables:
    """Tables of these effects; `wild` gives quantities (`mixture/arm/size:quantity`) another spread."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for place, arm in found.items():
        for seed in seeds:
            _add_run(rows, place, arm, seed, noise, wild or {})
    frames = {
        name: frame_of(name, found).unique(
            subset=[c for c in SCHEMAS[name] if c not in ("value", "share")],
            keep="first",
            maintain_order=True,
        )
        if name in ("scores", "halves", "styles")
        else frame_of(name, found)
        for name, found in rows.items()
    }
    about = {
        "name": "paperlike",
        "headline_set": "easy",
        "size": SMALL,
        "sizes": [SMALL, LARGE],
        "seeds": list(seeds),
    }
    return Tables(frames, about)


def _add_run(
    rows: dict[str, list[dict[str, Any]]],
    place: str,
    arm: dict[str, Any],
    seed: int,
    noise: float,
    wild: dict[str, float],
) -> None:
    mixture, name, size = place.split("/")
    run = {"mixture": mixture, "size": size, "arm": name, "seed": seed}
    start, last = arm.get("from_step"), STEPS[-1]

    def jitter(quantity: str) -> float:
        if f"{place}:{quantity}" in wild:
            return wild[f"{place}:{quantity}"] * (-1.0, 0.1, 1.0)[seed % 3]
        return _noise(seed, f"{place} {quantity}", noise)

    rows["runs"].append(
        run
        | {
            "from_step": start,
            "algorithm": name.split("_")[0],
            "reward": "correct",
            "problem_set": "easy",
            "temperature": 1.0,
            "kl_weight": arm.get("kl_weight", 0.001),
            "steps": last,
            "steps_per_epoch": float(EPOCH),
            "samples": arm.get("samples", 16384),
            "prompts_per_step": 32,
            "samples_per_prompt": 8,
        }
    )
    rows["forecasts"] += [
        run
        | {
            "forecast": f,
            "winner": "tinygsm",
            "share": 0.9,
            "brier": 0.1,
            "total_variation": arm.get("tv", 0.3) + abs(jitter("tv")),
            "hit": True,
        }
        for f in ("kl_optimum", "most_frequent")
    ]
    rows["findings"] += [
        run | {"analysis": kind, "item": item, "value": value + jitter(item)}
        for kind, item, value in (
            ("selection", "gain", 0.3),
            ("selection", "choice_at_base_skill", 0.2),
            ("selection", "skill_at_base_shares", 0.1),
            ("selection", "interaction", 0.0),
            ("baselines", "base, greedy", 0.55),
            ("support", "lost within 64", 0.04),
            ("errors", "gained/arithmetic", 6.0),
            ("costs", "tinygsm/tokens", 61.0),
        )
    ]
    for label, ends in arm.items():
        if isinstance(ends, tuple) and label not in ("training", "docstring"):
            quantity, split = (label.split("/dev")[0], "dev") if label.endswith("/dev") else (label, "test")
            quantity, _, problems = (
                quantity.rpartition("@")
                if quantity.endswith(("@hard", "@beyond", "@overlap", "@overlap_clean"))
                else (quantity, "", "easy")
            )
            temperatures = HEATS if label == "pass@64/dev" else (1.0,)
            for temperature in temperatures:
                where = {
                    "from_step": start,
                    "problem_set": problems,
                    "split": split,
                    "temperature": temperature,
                    "evaluation": "",
                    "quantity": quantity,
                }
                rows["scores"].append(
                    run
                    | where
                    | {"arm": BASE, "step": 0, "value": ends[0] + _shared(mixture, size, label, seed, noise)}
                )
                for step in STEPS:
                    value = ends[0] + (ends[1] - ends[0]) * _progress(step) + jitter(label)
                    rows["scores"].append(
                        run | where | {"step": step, "value": value + (0.01 if temperature == 0.7 else 0.0)}
                    )
    _add_halves(rows, run, arm, start, jitter)
    _add_training(rows, run, arm, jitter)
    if "docstring" in arm:
        for step, share in zip((0, last), arm["docstring"], strict=True):
            share += jitter("docstring") if step else 0.0
            for word, part in (("question", share), ("none", 1 - share)):
                rows["styles"].append(
                    run
                    | {
                        "arm": name if step else BASE,
                        "from_step": start,
                        "step": step,
                        "format": "tinygsm",
                        "feature": "docstring",
                        "word": word,
                        "completions": 400,
                        "share": part,
                    }
                )


def _shared(mixture: str, size: str, label: str, seed: int, noise: float) -> float:
    """The base is one model for all arms."""
    return _noise(seed, f"{mixture} {size} {label} base", noise)


def _noise(seed: int, name: str, noise: float) -> float:
    """A fixed draw between -2 and 2 times `noise`."""
    return noise * (crc32(f"{seed} {name}".encode()) / 2**30 - 2)


def _progress(step: int) -> float:
    """Most happens between steps 4 and 8."""
    return float(1 / (1 + np.exp(-(np.log2(step) - 2.5) * 4)))


def _add_halves(
    rows: dict[str, list[dict[str, Any]]],
    run: dict[str, Any],
    arm: dict[str, Any],
    start: int | None,
    jitter: Any,
) -> None:
    """A curve that peaks at step 16, `peak@k` above where it ends."""
    for k in (1, 64):
        drop = arm.get(f"peak@{k}")
        if drop is None:
            continue
        for temperature in HEATS:
            for half in (0, 1):
                for step in (0, *STEPS):
                    value = (
                        0.8
                        + (drop + jitter(f"peak@{k}") if step == 16 else 0.0)
                        - (0.1 if step == 0 else 0.0)
                    )
                    where = {
                        "from_step": start,
                        "problem_set": "easy",
                        "split": "test",
                        "temperature": temperature,
                        "evaluation": "",
                        "step": step,
                        "half": half,
                        "k": k,
                    }
                    rows["halves"].append(run | where | {"arm": run["arm"] if step else BASE, "value": value})


def _add_training(
    rows: dict[str, list[dict[str, Any]]], run: dict[str, Any], arm: dict[str, Any], jitter: Any
) -> None:
    first, last = arm.get("training", (0.5, 0.96))
    last += jitter("training")
    for step in range(1, EPOCH + 1):
        top = last if step > EPOCH // 2 else first
        reward = 0.5 - (arm.get("reward drop", 0.05) + jitter("reward drop") if step == 20 else 0.0)
        for quantity, value in (("share/tinygsm", top), ("share/omi1", 1 - top), ("reward", reward)):
            rows["training"].append(run | {"step": step, "quantity": quantity, "value": value})
