"""Arms side by side: scores at base and end over the seeds of each, and its formats over the steps of RL."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from .averages import average_rows, top_format
from .format_display import format_displays
from .number_text import set_text
from .runs import Run, complete_runs, ends, find_runs, problem_sets
from .study_folder import JsonObject, load_study


@dataclass(frozen=True)
class ArmScores:
    """One arm of one study, its seeds averaged."""

    study: str
    mixture: str
    size: str
    arm: str
    """Empty: a base without RL."""
    seeds: tuple[int, ...]
    problem_set: str
    split: str
    base: JsonObject | None
    """Accuracy, pass@k, formats and intervals (see `average_rows`); None: not measured."""
    final: JsonObject | None
    steps: int
    """RL steps that all seeds have."""
    shares: dict[str, list[float]]
    """Format -> its share of the completions of each RL step, mean over seeds; formats that occur alone."""
    titles: dict[str, str]
    """Format -> what a reader sees."""

    @property
    def label(self) -> str:
        """`grpo on mix, nano-0.8m`."""
        where = f"{self.mixture}, {self.size}"
        return f"{self.arm} on {where}" if self.arm else f"base of {where}"

    @property
    def problems(self) -> str:
        """`easy, test split`; empty: scored on none."""
        return set_text(self.problem_set, self.split)

    @property
    def winner(self) -> str | None:
        """The most frequent format at the end."""
        return None if self.final is None else top_format(self.final)


def arm_scores(folder: Path) -> list[ArmScores]:
    """All arms of a study's folder in its order; `UserError` where there is no study."""
    study = load_study(folder)
    runs = find_runs(study)
    sets = problem_sets(runs)
    chosen = sets[0] if sets else ("", "")
    titles = {name: display.title or name for name, display in format_displays(study.own_formats).items()}
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return [_scores(study.name, group, chosen, titles) for group in groups.values()]


def _scores(study: str, group: Sequence[Run], chosen: tuple[str, str], titles: dict[str, str]) -> ArmScores:
    complete = complete_runs(group, chosen)
    rows = [ends(run, chosen) for run in complete]
    base, final = ([pair[index] for pair in rows] for index in (0, 1))
    shares = _shares(complete)
    return ArmScores(
        study,
        *group[0].group,
        tuple(run.seed for run in complete),
        *chosen,
        _average(base),
        _average(final),
        max((len(path) for path in shares.values()), default=0),
        shares,
        titles,
    )


def _average(rows: Sequence[JsonObject | None]) -> JsonObject | None:
    known = [row for row in rows if row is not None]
    return average_rows(known) if known else None


def _shares(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Format -> share by step, as far as all seeds have come."""
    dense = [run.dense for run in runs if run.dense]
    if not dense:
        return {}
    keys = dict.fromkeys(key for rows in dense for row in rows for key in row if _is_share(key))
    steps = range(min(map(len, dense)))
    paths = {
        key.split("/")[1]: [mean(float(rows[step].get(key) or 0.0) for rows in dense) for step in steps]
        for key in keys
    }
    return {name: path for name, path in paths.items() if any(path)}


def _is_share(key: str) -> bool:
    return key.startswith("format/") and key.endswith("/share")


def accuracy_text(row: JsonObject | None) -> str:
    """`75.9% [73.1, 78.6]`; `-` where it was not measured."""
    value = (row or {}).get("accuracy")
    if row is None or value is None:
        return "-"
    around = (row.get("intervals") or {}).get("accuracy")
    return percent(value) + (f" [{100 * around[0]:.1f}, {100 * around[1]:.1f}]" if around else "")


def last_pass_text(row: JsonObject | None) -> str:
    """`@16 81.0%`: pass@k at the largest k."""
    known = [(k, value) for k, value in ((row or {}).get("pass@k") or {}).items() if value is not None]
    return f"@{known[-1][0]} {percent(known[-1][1])}" if known else "-"


def winner_text(arm: ArmScores) -> str:
    """`Python function 97.9%`: the most frequent format at the end."""
    name = arm.winner
    if arm.final is None or name is None:
        return "-"
    share = (arm.final["formats"].get(name) or {}).get("share")
    return arm.titles.get(name, name) + ("" if share is None else f" {percent(share)}")


def percent(value: float) -> str:
    """`75.9%`."""
    return f"{100 * value:.1f}%"
