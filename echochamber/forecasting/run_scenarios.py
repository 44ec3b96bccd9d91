"""Simulations of several arms in several processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from .outcome import Outcome, outcome_of
from .scenarios import Scenario
from .simulate import Path, simulate_once
from .table_policy import Gains
from .table_rollouts import simulation_seed

Job = tuple[int, Scenario, Gains, int]
"""(scenario's index, scenario, gains, seed of the simulation)."""


def run_scenarios(
    scenarios: Sequence[Scenario],
    gains: Gains,
    runs: int,
    further_runs: int,
    most_samples: int,
    workers: int,
    prepare: Callable[[], None],
    advance: Callable[[], None],
) -> list[Outcome]:
    """The outcome of each scenario, of `runs` simulations for the arm and `further_runs` for the others.

    All scenarios see the same draws of the table. `prepare` runs once in every process, `advance` here
    after each simulation. The result does not depend on `workers`.
    """
    jobs = [
        (index, scenario, gains, simulation_seed("run", number))
        for index, scenario in enumerate(scenarios)
        for number in range(runs if scenario.kind == "arm" else further_runs)
    ]
    paths: list[list[Path]] = [[] for _ in scenarios]
    for index, path in _simulated(jobs, min(workers, len(jobs)), prepare):
        paths[index].append(path)
        advance()
    return [
        outcome_of(scenario.table, found, most_samples)
        for scenario, found in zip(scenarios, paths, strict=True)
    ]


def _simulated(jobs: list[Job], workers: int, prepare: Callable[[], None]) -> Iterator[tuple[int, Path]]:
    """(index, path) of every job, in order."""
    if workers <= 1:
        prepare()
        yield from map(_run, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, prepare) as pool:
        yield from pool.map(_run, jobs)


def _run(job: Job) -> tuple[int, Path]:
    index, scenario, gains, seed = job
    return index, simulate_once(scenario.table, scenario.config, gains, seed)
