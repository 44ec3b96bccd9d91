"""Fit the gains of the forecast's table on finished RL runs, and write `calibration.json`.

    python benchmarks/fit_forecast.py runs/study-a ... --out echochamber/forecasting/calibration.json

A study is a folder with an evaluation of each base at the temperature of RL. The score of a set of gains is
the squared distance between the mean of simulated shares and accuracies and the run's own rollouts, at every
step after the first, summed over behaviours. Search: coordinate descent on a grid of ratios.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from echochamber.core.metrics import read_metrics
from echochamber.core.random import generator
from echochamber.forecasting.behaviour_table import BehaviourTable
from echochamber.forecasting.calibration import Calibration, as_json
from echochamber.forecasting.simulate import simulate_once
from echochamber.forecasting.table_policy import Gains
from echochamber.forecasting.table_rollouts import simulation_seed
from echochamber.model.checkpoint import read_config, read_config_file
from echochamber.model.presets import num_parameters
from echochamber.rl.config import RLConfig
from echochamber.study.checkpoints import last_checkpoint

START = Gains(choice=200.0, choice_by_problem=20.0, skill=6.0, skill_by_problem=0.6, value=40.0)
RATIOS = (0.63, 0.8, 1.0, 1.25, 1.6)
ORDER = ("choice", "skill", "value", "choice_by_problem", "skill_by_problem")
WINDOW = 5
"""Steps over which a run's noisy shares are averaged."""


@dataclass(frozen=True)
class RealRun:
    """One finished RL run beside the table of its base."""

    name: str
    base: str
    parameters: int
    table: BehaviourTable
    config: RLConfig
    seen: np.ndarray
    """(2, S, F) shares and accuracies of the training rollouts, smoothed; NaN where nothing was written."""


def real_runs(study: Path) -> list[RealRun]:
    """Every RL run of a study whose base has sampled completions at the arm's temperature."""
    manifests = {p.parent: json.loads(p.read_text()) for p in sorted(study.glob("artifacts/*/manifest.json"))}
    tables: dict[str, tuple[BehaviourTable, float]] = {}
    for folder, manifest in manifests.items():
        if manifest["kind"] == "evaluate":
            records = pl.read_parquet(folder / "records.parquet").filter(pl.col("step") == 0)
            if len(records):
                table = BehaviourTable.from_records(records, records["problem_set"][0]).forecastable()
                temperature = records.filter(pl.col("sample") >= 0)["temperature"][0]
                tables[manifest["parents"]["checkpoint"]] = (table, temperature)
    found = []
    for folder, manifest in manifests.items():
        base = manifest["parents"].get("base")
        if manifest["kind"] != "rl" or base not in tables:
            continue
        config, (table, temperature) = RLConfig.parse(manifest["config"]["rl"], "rl"), tables[base]
        if abs(temperature - config.temperature) < 1e-6:
            checkpoint = last_checkpoint(study / "artifacts" / f"pretrain-{base}")
            model = read_config(read_config_file(checkpoint), checkpoint / "config.json")
            seen = _seen(read_metrics(folder / "metrics.jsonl"), table.behaviours)
            size = num_parameters(model)
            found.append(RealRun(f"{study.name}/{folder.name}", base, size, table, config, seen))
    return found


def _seen(rows: list[dict[str, float | None]], behaviours: Sequence[str]) -> np.ndarray:
    values = np.array(
        [
            [[row.get(f"format/{name}/{kind}") for name in behaviours] for row in rows]
            for kind in ("share", "accuracy")
        ],
        dtype=float,
    )
    values[0] /= values[0].sum(1, keepdims=True)
    smooth = np.full_like(values, np.nan)
    for step in range(values.shape[1]):
        window = values[:, max(0, step - WINDOW // 2) : step + WINDOW // 2 + 1]
        known = ~np.isnan(window)
        total = np.where(known, window, 0.0).sum(1)
        with np.errstate(invalid="ignore"):
            smooth[:, step] = total / known.sum(1)
    return smooth


def distance(job: tuple[RealRun, Gains, int]) -> float:
    """Mean squared distance of shares and accuracies between a run and its simulations."""
    run, gains, simulations = job
    paths = [
        simulate_once(run.table, run.config, gains, simulation_seed("fit", number))
        for number in range(simulations)
    ]
    # Rollouts of step s come from the policy after s - 1 updates.
    steps = run.seen.shape[1]
    shares = np.mean([path.shares[:steps] for path in paths], axis=0)
    accuracies = np.mean([path.accuracies[:steps] for path in paths], axis=0)
    weight = np.where(np.isnan(run.seen[1]), 0.0, run.seen[0])
    wrong_share = ((shares - run.seen[0]) ** 2).sum(1).mean()
    wrong_skill = (weight * (accuracies - np.nan_to_num(run.seen[1])) ** 2).sum(1).mean()
    return float(wrong_share + wrong_skill)


def fit(
    runs: list[RealRun], workers: int, rounds: int, simulations: int, names: Sequence[str]
) -> tuple[Gains, float]:
    """Gains of least mean distance; one number after the other, `rounds` times."""
    best, score = START, np.inf
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for _ in range(rounds):
            for name in names:
                tried = [replace(best, **{name: getattr(best, name) * ratio}) for ratio in RATIOS]
                jobs = [(run, gains, simulations) for gains in tried for run in runs]
                scores = np.array(list(pool.map(distance, jobs))).reshape(len(tried), len(runs)).mean(1)
                best, score = tried[int(scores.argmin())], float(scores.min())
                print(f"{name}: {getattr(best, name):.4g}, distance {score:.4f}", flush=True)
    return best, score


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--most", type=int, help="fit on that many of the runs, drawn with a fixed seed")
    parser.add_argument("--simulations", type=int, default=2, help="of each run")
    parser.add_argument("--fit", nargs="+", choices=ORDER, default=ORDER, help="gains to fit, in this order")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    runs = sorted((run for study in args.studies for run in real_runs(study)), key=lambda run: run.name)
    if args.most:
        runs = [runs[i] for i in generator("fit").permutation(len(runs))[: args.most]]
    print(f"{len(runs)} runs: {', '.join(run.name for run in runs)}")
    gains, score = fit(runs, args.workers, args.rounds, args.simulations, args.fit)
    found = Calibration(
        gains,
        len(runs),
        len({run.base for run in runs}),
        round(float(np.median([run.parameters for run in runs]))),
        tuple(sorted({run.config.algorithm for run in runs})),
        runs[0].config.optimizer.name,
    )
    print(f"distance {score:.4f}\n{as_json(found)}")
    if args.out:
        args.out.write_text(as_json(found), encoding="utf-8")


if __name__ == "__main__":
    main()
