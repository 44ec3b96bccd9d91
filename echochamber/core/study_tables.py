"""The small tables that every verdict is computed from; they are committed, the artifacts are not.

runs       one row per base (arm `base`) and RL run: settings that claims need
scores     one row per checkpoint and quantity: accuracy, pass@k, maj@k, share/FORMAT, ...
halves     pass@k of one half of the samples, so that a maximum can be chosen and measured apart
training   one row per RL step: reward and the share of each format in the rollouts
styles     shares of style features inside a format, at the base and at the end
forecasts  final shares forecast from the base, and their errors
findings   analyses that no claim asks for: selection or skill, baselines, support, floors, errors, costs
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import polars as pl

BASE = "base"
"""The `arm` of rows that belong to a base model."""
OBSERVED, KL_OPTIMUM, REPLICATOR, BANDIT = "observed", "kl_optimum", "replicator", "bandit"
MOST_ACCURATE, MOST_FREQUENT, CONSTANT = "most_accurate", "most_frequent", "constant"
FORECASTS = (OBSERVED, KL_OPTIMUM, REPLICATOR, BANDIT, MOST_ACCURATE, MOST_FREQUENT, CONSTANT)
"""Values of `forecast` in the table of forecasts; `observed` is what really happened."""
AFTER_RL = "after_rl"
"""The other end than `BASE` in the items of `findings`."""
BEYOND = "beyond"
"""Problems with more operations than any of pretraining (claim 18), whose pass@k needs the floors as well."""


def floor_item(end: str, kind: str, k: int | str) -> str:
    """The item of a floor in `findings`: `after_rl/chance/pass@64`."""
    return f"{end}/{kind}/pass@{k}"


def half_floor_item(temperature: float, step: int, half: int) -> str:
    """The item of a half's chance floor in `findings`: `1/16/0`."""
    return f"{temperature:g}/{step}/{half}"


_RUN: dict[str, type[pl.DataType]] = {
    "mixture": pl.String,
    "size": pl.String,
    "arm": pl.String,
    "seed": pl.Int64,
}
_PLACE = _RUN | {
    "from_step": pl.Int64,
    "problem_set": pl.String,
    "split": pl.String,
    "temperature": pl.Float64,
    "evaluation": pl.String,
    "step": pl.Int64,
}
SCHEMAS: dict[str, dict[str, type[pl.DataType]]] = {
    "runs": _RUN
    | {
        "from_step": pl.Int64,
        "algorithm": pl.String,
        "reward": pl.String,
        "problem_set": pl.String,
        "temperature": pl.Float64,
        "kl_weight": pl.Float64,
        "steps": pl.Int64,
        "steps_per_epoch": pl.Float64,
        "samples": pl.Int64,
        "prompts_per_step": pl.Int64,
        "samples_per_prompt": pl.Int64,
    },
    "scores": _PLACE | {"quantity": pl.String, "value": pl.Float64},
    "halves": _PLACE | {"half": pl.Int64, "k": pl.Int64, "value": pl.Float64},
    "training": _RUN | {"step": pl.Int64, "quantity": pl.String, "value": pl.Float64},
    "styles": _RUN
    | {
        "from_step": pl.Int64,
        "step": pl.Int64,
        "format": pl.String,
        "feature": pl.String,
        "word": pl.String,
        "completions": pl.Int64,
        "share": pl.Float64,
    },
    "forecasts": _RUN
    | {
        "forecast": pl.String,
        "winner": pl.String,
        "share": pl.Float64,
        "brier": pl.Float64,
        "total_variation": pl.Float64,
        "hit": pl.Boolean,
    },
    "findings": _RUN | {"analysis": pl.String, "item": pl.String, "value": pl.Float64},
}
"""Table -> column -> type.

`from_step` is the pretraining step that RL starts from, null for the last.
`evaluation` is a name in the recipe's `also_evaluate`, or empty for the study's own evaluation.
"""


RunRow = dict[str, Any]
"""A row of `runs`: column -> value."""
RunRows = dict[tuple[str, str, str], dict[int, RunRow]]
"""(mixture, size, arm) -> seed -> row of `runs`."""
ScoreKey = tuple[str, str, str, int | None, str, str, float, str, str]
"""mixture, size, arm, from_step, problem set, split, temperature, evaluation, quantity."""
HalfKey = tuple[str, str, str, int | None, str, str, float, str, int, int]
"""The same up to evaluation, then k and half."""
Curves = dict[int, dict[int, float]]
"""seed -> step -> value."""
Key = TypeVar("Key")


@dataclass(frozen=True)
class Tables:
    """All tables of one study, and what it is."""

    frames: dict[str, pl.DataFrame]
    about: dict[str, Any] = field(default_factory=dict)
    """name, headline_set, size, criteria as recorded before the first RL run, commands, recipe, arms, ..."""

    @property
    def headline_set(self) -> str:
        """The problem set that claims are judged on unless they name another: the first of the recipe's."""
        return str(self.about.get("headline_set") or "")

    @property
    def size(self) -> str:
        """The size that claims are judged at unless they compare sizes: the first of the recipe's."""
        return str(self.about.get("size") or "")

    @property
    def sizes(self) -> list[str]:
        """All sizes of the study, in the recipe's order."""
        return [str(size) for size in self.about.get("sizes") or [self.size]]

    def named_for_claims(self) -> "Tables":
        """The same, with what the recipe's `claim_names` name under the claims' own names as well."""
        recipe = self.about.get("recipe")
        names = (recipe.get("claim_names") if isinstance(recipe, dict) else None) or {}
        mixtures, sets = names.get("mixtures") or {}, names.get("sets") or {}
        frames = {name: _aliased(frame, "mixture", mixtures) for name, frame in self.frames.items()}
        frames |= {name: _aliased(frames[name], "problem_set", sets) for name in ("scores", "halves")}
        arms = list(self.about.get("arms") or [])
        for new, old in mixtures.items():
            arms += [row | {"mixture": new} for row in arms if row["mixture"] == old]
        return replace(self, frames=frames, about=self.about | {"arms": arms})

    def only_seeds(self, seeds: Iterable[int]) -> "Tables":
        """The same study with some of its seeds."""
        kept = list(seeds)
        return replace(
            self,
            frames={name: frame.filter(pl.col("seed").is_in(kept)) for name, frame in self.frames.items()},
        )

    @cached_property
    def runs(self) -> RunRows:
        """(mixture, size, arm) -> seed -> row of `runs`."""
        found: RunRows = {}
        for row in self.frames["runs"].iter_rows(named=True):
            found.setdefault((row["mixture"], row["size"], row["arm"]), {})[row["seed"]] = row
        return found

    @cached_property
    def scores(self) -> dict[ScoreKey, Curves]:
        """seed -> step -> value, by the columns of the key in their order."""
        keys = (
            "mixture",
            "size",
            "arm",
            "from_step",
            "problem_set",
            "split",
            "temperature",
            "evaluation",
            "quantity",
        )
        return _nested(self.frames["scores"], keys)

    @cached_property
    def measured(self) -> dict[tuple[str, str, str, str, str, str], list[tuple[float, str]]]:
        """(mixture, size, arm, set, split, quantity) -> (temperature, evaluation), the study's own first."""
        found: dict[tuple[str, str, str, str, str, str], set[tuple[float, str]]] = {}
        for mixture, size, arm, _, problem_set, split, temperature, evaluation, quantity in self.scores:
            found.setdefault((mixture, size, arm, problem_set, split, quantity), set()).add(
                (temperature, evaluation)
            )
        return {key: sorted(pairs) for key, pairs in found.items()}

    @cached_property
    def formats(self) -> dict[tuple[str, str], list[str]]:
        """(mixture, size) -> formats whose shares were measured there, by name."""
        found: dict[tuple[str, str], set[str]] = {}
        for mixture, size, *_, quantity in self.scores:
            if quantity.startswith("share/"):
                found.setdefault((mixture, size), set()).add(quantity.removeprefix("share/"))
        return {key: sorted(names) for key, names in found.items()}

    @cached_property
    def halves(self) -> dict[HalfKey, Curves]:
        """seed -> step -> pass@k, by the columns of the key in their order."""
        keys = (
            "mixture",
            "size",
            "arm",
            "from_step",
            "problem_set",
            "split",
            "temperature",
            "evaluation",
            "k",
            "half",
        )
        return _nested(self.frames["halves"], keys)

    @cached_property
    def findings(self) -> dict[tuple[str, str, str], dict[str, dict[str, dict[int, float]]]]:
        """(mixture, size, arm) -> analysis -> item -> seed -> value."""
        found: dict[tuple[str, str, str], dict[str, dict[str, dict[int, float]]]] = {}
        for mixture, size, arm, seed, analysis, item, value in self.frames["findings"].iter_rows():
            found.setdefault((mixture, size, arm), {}).setdefault(analysis, {}).setdefault(item, {})[seed] = (
                value
            )
        return found

    @cached_property
    def training(self) -> dict[tuple[str, str, str, str], Curves]:
        """(mixture, size, arm, quantity) -> seed -> step -> value."""
        return _nested(self.frames["training"], ("mixture", "size", "arm", "quantity"))


def _aliased(frame: pl.DataFrame, column: str, names: Mapping[str, str]) -> pl.DataFrame:
    """The rows, and those with an old name in the column once more with the new one."""
    more = [
        frame.filter(pl.col(column) == old).with_columns(pl.lit(new).alias(column))
        for new, old in names.items()
        if new != old
    ]
    return pl.concat([frame, *more]).select(frame.columns)


def _nested(frame: pl.DataFrame, keys: tuple[str, ...]) -> dict[Key, Curves]:
    found: dict[Key, Curves] = {}
    parts = frame.group_by(*keys, "seed", maintain_order=True).agg("step", "value")
    for *of, seed, steps, values in parts.iter_rows():
        key: Any = tuple(of)  # its types are those of the columns, which `load_tables` has checked
        found.setdefault(key, {})[seed] = dict(zip(steps, values, strict=True))
    return found


def frame_of(name: str, rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Rows as the table of that name, in a fixed order."""
    schema = SCHEMAS[name]
    frame = pl.DataFrame(list(rows), schema=schema, orient="row")
    return frame.sort(
        [column for column, kind in schema.items() if kind != pl.Float64 or column == "temperature"],
        nulls_last=True,
    )
