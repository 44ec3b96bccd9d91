"""Recipes of the fleet: many small bases that differ in shares, accuracies, lengths and number of formats.

    python benchmarks/fleet_recipe.py --out runs/fleet --without-sealed-arms   # until they are sealed
    python benchmarks/fleet_recipe.py --out runs/fleet

The forecast is fitted on RL runs of one half of the bases and scored on the other half. One recipe per world
(`fleet-1.yaml`, ...), since a recipe has one world. A base is a mixture with a seed of its own. It gets
the arms `ppo`, `grpo` and `rloo`.

Design, by one seeded stream per base:

- formats: two to five of the five styles, or two spellings of one style (`twins`);
- frequency: shares from a symmetric Dirichlet distribution, none under `LEAST_SHARE`;
- accuracy: a share of wrong documents per format, drawn from `NOISE` for programs and for prose;
- length: style knobs that lengthen or shorten a format, each on or off.

The three are drawn independently of each other and of the format, apart from the larger noise of programs.
A format still has a length and difficulty of its own. How far accuracy, frequency and length are correlated
over the trained bases has to be measured.
"""

import argparse
from pathlib import Path

import numpy as np
import yaml

from echochamber.core.keys import key

Yaml = dict[str, object]

NUM_BASES, FIRST_SEED = 120, 1000
LEAST_SHARE = 0.1
"""Of a base's formats, before background."""
PROGRAMS = ("tinygsm", "omi1")
NOISE = {"program": (0.0, 0.4, 0.8), "prose": (0.0, 0.3, 0.6), "twins": (0.0, 0.2, 0.4)}
"""Programs leave the arithmetic to the interpreter. With more noise prose can be the more accurate one."""
BACKGROUND = 0.25
STYLES = ("tinygsm", "omi1", "omi2", "metamath", "gsm8k")
KNOBS: dict[str, tuple[Yaml, Yaml]] = {
    "tinygsm": ({"docstring": 0, "type_hints": 0}, {"docstring": 1, "full_docstring": 0, "comments": 1}),
    "omi1": ({"lead_in": 0, "short_names": 1}, {"lead_in": 1, "comments": 1}),
    "omi2": ({"lead_in": 0, "latex": 0}, {"lead_in": 1, "restate": 1}),
    "metamath": ({"lead_in": 0}, {"lead_in": 1, "restate": 1}),
    "gsm8k": ({"spaced": 0}, {"spaced": 1}),
}
"""Style -> knobs of its short and of its long form."""
WORLDS: tuple[Yaml, ...] = (
    {"families": ["shopping", "collect"], "operations": [1, 2]},
    {"families": ["sharing", "tank"], "operations": [1, 2]},
    {"families": ["shopping", "collect", "wages"], "operations": [1, 2]},
)
SAME: Yaml = {
    "max_value": 20,
    "wordings": 1,
    "vocabulary": 4,
    "number_words": 0,
    "irrelevant_facts": 0,
    "reorder": 0,
}
ARMS = ("grpo", "ppo", "rloo")
TWINS = ("tinygsm", "tinygsm_tick")
EVERY = 10
"""One base in so many has twins, and another has 0.8 M parameters."""


def is_sealed(number: int) -> bool:
    """Whether a base belongs to the half whose forecasts are committed before its RL runs."""
    pair = key("fleet half", number // 2) % 2
    return number % 2 == pair


def fleet(num_bases: int = NUM_BASES, first: int = 0, sealed_arms: bool = True) -> list[Yaml]:
    """One recipe per world. Base `i` has seed `FIRST_SEED + i` and is drawn from a stream of its own.

    `sealed_arms` False: sealed bases have no RL yet.
    """
    worlds = range(len(WORLDS))
    return [_recipe(w, range(first + w, first + num_bases, len(worlds)), sealed_arms) for w in worlds]


def _recipe(world: int, numbers: range, sealed_arms: bool) -> Yaml:
    bases = {f"f{number:03d}": _base(number) for number in numbers}
    grid = [
        {"mixture": name, "seed": FIRST_SEED + number, "size": _size(number)}
        for name, number in zip(bases, numbers, strict=True)
    ]
    sealed = [name for name, number in zip(bases, numbers, strict=True) if is_sealed(number)]
    waiting = {"mixture": sealed, "rl": list(ARMS)} if sealed else {}
    return {
        "name": f"fleet-{world + 1}",
        "question": "Does a forecast from the base say which format wins?",
        "summary": f"{len(bases)} bases of 0.2 and 0.8 M parameters, three algorithms, to score forecasts.",
        "seeds": [FIRST_SEED + number for number in numbers],
        "data_seed": "seed",
        "world": WORLDS[world] | SAME,
        "tokenizer": {"vocab_size": 512, "styles": list(STYLES)},
        "behaviours": {"tinygsm_tick": {"of": "tinygsm", "contains": "    '", "only": _twins(bases)}},
        "mixtures": bases,
        "sizes": ["nano-0.2m", "nano-0.8m"],
        "pretrain": {
            "batch_tokens": 4096,
            "mask_documents": True,
            "checkpoints": 2,
            "optimizer": {"name": "muon", "lr": 3e-3, "muon_lr": 0.02, "weight_decay": 0.01},
        },
        "rl": {
            arm: {"preset": f"nano-{arm}", "steps": 32, "checkpoints": {"count": 1}}
            | {"problems": {"set": "all", "count": 1024}}
            for arm in ARMS
        },
        "grid": {"include": grid, "exclude": [] if sealed_arms or not waiting else [waiting]},
        "evaluate": {"sets": ["all"], "split": "test", "count": 128, "samples": {"ends": 32, "between": 0}}
        | {"temperature": 1.0, "max_new_tokens": 128},
        "forecast": {"runs": 0},
        "claims": [],
        "runtime": {"compile": "off", "threads": 1},
    }


def _base(number: int) -> Yaml:
    """The mixture of one base."""
    draw = np.random.default_rng(key("fleet", number) % 2**63)
    if _is_twins(number):
        first = float(draw.uniform(0.2, 0.8))
        noise = float(draw.choice(NOISE["twins"]))
        parts = {
            name: _source("tinygsm", share, noise, _twin_style(name))
            for name, share in zip(TWINS, _in_thousandths([first, 1 - first]), strict=True)
        }
    else:
        formats = [str(name) for name in draw.permutation(STYLES)[: int(draw.integers(2, 6))]]
        parts = {
            name: _source(
                name, share, float(draw.choice(NOISE[_kind(name)])), KNOBS[name][int(draw.integers(2))]
            )
            for name, share in zip(formats, _shares(draw, len(formats)), strict=True)
        }
    return {"budget_tokens": 2_000_000, "sources": {"prose": {"share": BACKGROUND, "exercises": 0.9}} | parts}


def _kind(style: str) -> str:
    return "program" if style in PROGRAMS else "prose"


def _source(style: str, share: float, noise: float, knobs: Yaml) -> Yaml:
    given = {"named_givens": 0} if style in PROGRAMS else {}
    return {
        "format": style,
        "share": share,
        "noise": {"random": noise},
        "style": {"phrasings": 1} | given | knobs,
    }


def _shares(draw: np.random.Generator, count: int) -> list[float]:
    """Shares of a base's formats in the whole mixture, none under `LEAST_SHARE` of what is not background."""
    free = draw.dirichlet(np.ones(count)) * (1 - count * LEAST_SHARE)
    return _in_thousandths([float(part) + LEAST_SHARE for part in free])


def _in_thousandths(shares: list[float]) -> list[float]:
    """Parts of the mixture that add up exactly, which a recipe asks for."""
    whole = round(1000 * (1 - BACKGROUND))
    ends = np.round(np.cumsum(shares) * whole).astype(int)
    return [int(part) / 1000 for part in np.diff(ends, prepend=0)]


def _is_twins(number: int) -> bool:
    return number % EVERY == 3


def _size(number: int) -> str:
    return "nano-0.8m" if number % EVERY == 7 else "nano-0.2m"


def _twin_style(name: str) -> Yaml:
    return {
        "docstring": 1,
        "docstring_form": "line",
        "full_docstring": 0,
        "double_quotes": 0 if name == "tinygsm_tick" else 1,
    }


def _twins(bases: dict[str, Yaml]) -> list[str]:
    return [name for name in bases if _is_twins(int(name[1:]))]


def main() -> None:
    """Write one recipe per world into a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bases", type=int, default=NUM_BASES)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first base; from 900 for settling"
    )
    parser.add_argument("--without-sealed-arms", action="store_true", help="RL on the fitting half alone")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for recipe in fleet(chosen.bases, chosen.first, not chosen.without_sealed_arms):
        path = chosen.out / f"{recipe['name']}.yaml"
        path.write_text(yaml.safe_dump(recipe, sort_keys=False, width=110), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
