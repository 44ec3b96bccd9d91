"""What a simulation from the base alone says of one arm: the stage that stands beside every RL run."""

from dataclasses import asdict

import polars as pl

from ..core.errors import UserError
from ..rl.config import RLConfig
from .behaviour_table import FEWEST_SAMPLES, BehaviourTable
from .calibration import calibration
from .outcome import Outcome, outcome_of
from .simulate import simulate_once
from .table_rollouts import simulation_seed

FILE = "forecast.json"
MOST_SAMPLES = 16
"""Largest k of pass@k and maj@k."""


def forecast_arm(
    records: pl.DataFrame, problem_set: str, arm: RLConfig, runs: int, parameters: int
) -> dict[str, object]:
    """The forecast of an arm from the base's graded completions, as plain data.

    `records`: columns as in `core.records`, sampled at the arm's temperature. `parameters`: of the model.
    Where no forecast can be made, `reason` says why and nothing else is there.
    """
    try:
        whole = BehaviourTable.from_records(records, problem_set)
        table = whole.forecastable()
        check_forecastable(whole, table, problem_set, arm)
    except UserError as error:
        return {"reason": str(error)}
    found = calibration()
    paths = [simulate_once(table, arm, found.gains, simulation_seed("run", i)) for i in range(runs)]
    outcome = outcome_of(table, paths, MOST_SAMPLES)
    warnings = found.warnings(parameters, arm.algorithm, arm.optimizer.name)
    return {"problem_set": problem_set, "runs": runs, "warnings": warnings} | _plain(outcome)


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        "winner": outcome.winner,
        "win_probability": outcome.win_probability,
        "final_shares": {name: asdict(one) for name, one in outcome.final_shares.items()},
        "accuracy_before": asdict(outcome.accuracy_before),
        "accuracy_after": asdict(outcome.accuracy_after),
        "collapse_probability": outcome.collapse_probability,
        "collapse_step": asdict(outcome.collapse_step) if outcome.collapse_step else None,
    }


def check_forecastable(whole: BehaviourTable, table: BehaviourTable, problem_set: str, arm: RLConfig) -> None:
    """`UserError` with the reason where no forecast can be made of a table."""
    counts = ", ".join(f"{name} {n:.0f}" for name, n in zip(whole.behaviours, whole.num.sum(0), strict=True))
    if len(table.behaviours) < 2:
        raise UserError(
            f"{problem_set}: {len(table.behaviours)} of {len(whole.behaviours)} behaviours has "
            f"{FEWEST_SAMPLES} completions or more ({counts}); a forecast compares at least two, so use more "
            "samples or problems, or describe behaviours"
        )
    parts = [arm.reward] if isinstance(arm.reward, str) else [name for name, w in arm.reward.items() if w]
    by_answer = all(name == "correct" or name.startswith("thinned:") for name in parts)
    if by_answer and not table.right.sum():
        raise UserError(
            f"{problem_set}: none of {int(table.num.sum())} completions is right, so no group would carry "
            "signal and RL would change nothing; use easier problems or more samples"
        )
