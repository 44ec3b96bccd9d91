"""Seal forecasts of the fleet's second half before its RL runs, and score them after.

    python benchmarks/fleet_forecasts.py seal runs/fleet/fleet-* --out results/forecast-fleet/sealed.json
    python benchmarks/fleet_forecasts.py score runs/fleet/fleet-* --sealed results/forecast-fleet/sealed.json

`seal` forecasts every arm of every sealed base from the base's own evaluation, and prints the file's SHA-256.
It refuses a study in which a sealed base has an RL run already. The file also holds the naive rules and base
rates, fitted on the runs of the bases that are not sealed. `score` compares the forecasts with finished
runs.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.fleet_recipe import ARMS, is_sealed
from echochamber.analysis.study_folder import StoredStage, load_study
from echochamber.core.formats import OTHER
from echochamber.core.metrics import read_metrics
from echochamber.forecasting.behaviour_table import BehaviourTable
from echochamber.forecasting.calibration import calibration
from echochamber.forecasting.fitted_rules import (
    RULES,
    FittedRule,
    SeenRun,
    base_rate,
    base_rate_probabilities,
    fit_rule,
)
from echochamber.forecasting.outcome import COLLAPSED, SURE, outcome_of
from echochamber.forecasting.scores import (
    Scored,
    brier_ratio,
    calibration_curve,
    coverage,
    reliability,
    reliability_band,
)
from echochamber.forecasting.simulate import simulate_once
from echochamber.forecasting.table_rollouts import simulation_seed
from echochamber.rl.config import RLConfig
from echochamber.study.recipe import Recipe

SIMULATIONS = 24
SMOOTHED = 3
"""Steps of the moving mean in which a run's rollouts pass the top share of a collapse."""


@dataclass(frozen=True)
class Base:
    """One base of the fleet with its table and its arms."""

    name: str
    table: BehaviourTable
    arms: dict[str, RLConfig]
    runs: dict[str, StoredStage]
    """Arm -> finished RL run."""
    ends: dict[str, StoredStage]
    """Arm -> finished evaluation of its last checkpoint."""
    begun: bool = False
    """Whether an RL run of it has written anything."""

    @property
    def number(self) -> int:
        """Its place in the fleet's design."""
        return int(self.name[1:])

    @property
    def candidates(self) -> tuple[str, ...]:
        """Behaviours that may win."""
        return tuple(name for name in self.table.behaviours if name != OTHER)


@dataclass(frozen=True)
class Seen:
    """What happened in one run."""

    winner: str
    shares: dict[str, float]
    accuracy: float
    collapse_step: int | None


def fleet_bases(studies: Sequence[Path]) -> Iterator[Base]:
    """Every base whose evaluation is finished."""
    for folder in studies:
        study = load_study(folder)
        arms = Recipe.parse(study.recipe, str(folder)).rl
        done = [node for node in study.nodes if node.status == "done"]
        begun = [node.mixture for node in study.nodes if node.kind == "rl" and node.folder is not None]
        for node in done:
            if node.kind != "evaluate" or node.arm is not None or node.mixture is None:
                continue
            records = pl.read_parquet(node.folder / "records.parquet")
            table = BehaviourTable.from_records(records, str(records["problem_set"][0])).forecastable()
            mine = [other for other in done if other.mixture == node.mixture and other.arm is not None]
            runs, ends = ({str(o.arm): o for o in mine if o.kind == kind} for kind in ("rl", "evaluate"))
            begun_here = node.mixture in begun
            yield Base(node.mixture, table, {name: arms[name] for name in ARMS}, runs, ends, begun_here)


def seen(base: Base, arm: str) -> Seen:
    """Winner, shares and accuracy on the test problems, and the step of a collapse in the rollouts."""
    records = pl.read_parquet(base.ends[arm].folder / "records.parquet").filter(pl.col("sample") >= 0)
    shares = {name: float((records["format"] == name).mean() or 0.0) for name in base.table.behaviours}
    rows = read_metrics(base.runs[arm].folder / "metrics.jsonl")
    top = np.array([max(row.get(f"format/{name}/share") or 0.0 for name in base.candidates) for row in rows])
    smooth = np.convolve(top, np.ones(SMOOTHED) / SMOOTHED, mode="valid")
    above = np.flatnonzero(smooth > COLLAPSED)
    written = records.filter(pl.col("format") != OTHER)["format"].value_counts(sort=True)
    # Also a format that was too rare to be forecast may win.
    winner = (
        str(written["format"][0]) if len(written) else max(base.candidates, key=lambda name: shares[name])
    )
    step = int(above[0]) + SMOOTHED // 2 if len(above) else None
    return Seen(winner, shares, float(records["correct"].mean() or 0.0), step)


def forecast(job: tuple[BehaviourTable, RLConfig, int]) -> dict[str, object]:
    """The sealed part of a forecast, as plain data."""
    table, config, simulations = job
    gains = calibration().gains
    paths = [simulate_once(table, config, gains, simulation_seed("run", i)) for i in range(simulations)]
    found = outcome_of(table, paths, 16)
    return {
        "probabilities": found.win_probability,
        "cannot_say": found.winner is None,
        "shares": {name: asdict(one) for name, one in found.final_shares.items()},
        "accuracy": asdict(found.accuracy_after),
        "collapse_probability": found.collapse_probability,
        "collapse_step": asdict(found.collapse_step) if found.collapse_step else None,
    }


def fitted(bases: Iterable[Base]) -> dict[str, object]:
    """Steepness of every naive rule, and the base rates, from the runs of the bases that are not sealed."""
    runs = [
        SeenRun(base.table, base.candidates, winner)
        for base in bases
        if not is_sealed(base.number) and len(base.candidates) >= 2
        for arm in base.ends
        if (winner := seen(base, arm).winner) in base.candidates
    ]
    if not runs:
        raise SystemExit("no finished run of a base that is not sealed; the naive rules are fitted on those")
    return {
        "rules": {name: fit_rule(name, runs).steepness for name in RULES},
        "base_rate": {str(size): rates for size, rates in base_rate(runs).items()},
    }


def seal(studies: Sequence[Path], out: Path, simulations: int, workers: int) -> None:
    """Forecast every arm of every sealed base and write one file."""
    fleet = list(fleet_bases(studies))
    bases = [base for base in fleet if is_sealed(base.number)]
    if out.exists():
        raise SystemExit(f"{out}: is there; sealed forecasts are never written over")
    ran = [base.name for base in bases if base.begun]
    if ran:
        raise SystemExit(
            f"sealed bases with RL runs already: {', '.join(ran)}; a forecast comes before its runs"
        )
    on_the_rest = fitted(fleet)
    usable = [base for base in bases if len(base.candidates) >= 2 and base.table.right.sum()]
    jobs = [(base, arm) for base in usable for arm in ARMS]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        found = pool.map(forecast, [(base.table, base.arms[arm], simulations) for base, arm in jobs])
        rows = [{"base": b.name, "arm": arm} | f for (b, arm), f in zip(jobs, found, strict=True)]
    left_out = sorted({base.name for base in bases} - {base.name for base in usable})
    sealed = {"simulations": simulations, "left_out": left_out, "fitted": on_the_rest, "forecasts": rows}
    text = json.dumps(sealed, indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    print(f"{out}: {len(rows)} forecasts of {len(usable)} bases, {len(left_out)} left out")
    print(f"SHA-256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


def _means(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean scores of forecasts of a winner."""
    return {
        "brier": float(np.mean([one.brier for one in scored])),
        "log_score": float(np.mean([one.log_score for one in scored])),
        "hit_rate": float(np.mean([one.hit for one in scored])),
    }


def score(studies: Sequence[Path], sealed: Path) -> dict[str, object]:
    """Scores of the sealed forecasts and of the naive rules on the same runs."""
    bases = {base.name: base for base in fleet_bases(studies)}
    held = json.loads(sealed.read_text(encoding="utf-8"))
    rules = [FittedRule(name, steepness) for name, steepness in held["fitted"]["rules"].items()]
    rates = {int(size): found for size, found in held["fitted"]["base_rate"].items()}
    ours: list[Scored] = []
    others: dict[str, list[Scored]] = {rule.name: [] for rule in rules}
    inside: list[bool] = []
    inside_all: list[bool] = []
    names_all: list[str] = []
    accuracy_errors, step_errors, unsure = [], [], []
    for row in held["forecasts"]:
        base = bases[row["base"]]
        if row["arm"] not in base.ends:
            continue
        what = seen(base, row["arm"])
        run = SeenRun(base.table, base.candidates, what.winner)
        stated = base_rate_probabilities(run, rates) if row["cannot_say"] else row["probabilities"]
        ours.append(Scored(base.name, row["arm"], stated, what.winner))
        for rule in rules:
            others[rule.name].append(Scored(base.name, row["arm"], rule.probabilities(run), what.winner))
        share = row["shares"].get(what.winner)
        inside.append(share is not None and share["low"] <= what.shares[what.winner] <= share["high"])
        # Every behaviour counts too: the winner is known only afterwards, and its share is the extreme one.
        for name, one in row["shares"].items():
            inside_all.append(one["low"] <= what.shares[name] <= one["high"])
            names_all.append(base.name)
        accuracy_errors.append(row["accuracy"]["value"] - what.accuracy)
        if what.collapse_step is not None and row["collapse_step"]:
            step_errors.append(row["collapse_step"]["value"] - what.collapse_step)
        unsure.append(bool(row["cannot_say"]))
    best = min(others, key=lambda name: float(np.mean([one.brier for one in others[name]])))
    names = [one.base for one in ours]
    return {
        "runs": len(ours),
        "bases": len(set(names)),
        **_means(ours),
        "rules": {rule.name: {"steepness": rule.steepness, **_means(others[rule.name])} for rule in rules},
        "best_rule": best,
        "brier_over_best_rule": asdict(brier_ratio(ours, others[best])),
        "reliability": reliability(ours),
        "reliability_band": reliability_band(ours),
        "calibration_curve": calibration_curve(ours),
        "coverage_of_final_share": asdict(coverage(names, inside)),
        "coverage_of_all_shares": asdict(coverage(names_all, inside_all)),
        "accuracy_error": {
            "mean": float(np.mean(accuracy_errors)),
            "absolute": float(np.mean(np.abs(accuracy_errors))),
        },
        "collapse_step_error": float(np.mean(np.abs(step_errors))) if step_errors else None,
        "cannot_say": float(np.mean(unsure)),
        "sure_from": SURE,
    }


def main() -> None:
    """`seal` or `score`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["seal", "score"])
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sealed", type=Path)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.action == "seal":
        seal(chosen.studies, chosen.out, chosen.simulations, chosen.workers)
        return
    text = json.dumps(score(chosen.studies, chosen.sealed), indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
