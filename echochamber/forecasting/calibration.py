"""The gains of the table, fitted once on real runs, and where they hold."""

import json
from dataclasses import asdict, dataclass
from functools import cache

from .shipped import shipped_calibration
from .table_policy import Gains

SIZE_FACTOR = 4.0
"""Ratio of parameters to the calibrated ones beyond which a forecast comes with a warning."""


@dataclass(frozen=True)
class Calibration:
    """Gains and the runs they were fitted on."""

    gains: Gains
    num_runs: int
    num_bases: int
    parameters: int
    """Of the models that were trained."""
    algorithms: tuple[str, ...]
    optimizer: str
    """Of the policy."""
    num_scored: int = 0
    """Runs that were forecast before they were made, and not fitted on."""

    def warnings(self, parameters: int, algorithm: str, optimizer: str) -> list[str]:
        """Sentences on what of a forecast no run has tested."""
        found = []
        if not self.num_scored:
            found.append(
                f"This forecast has no track record: its gains were fitted on {self.num_runs} runs, "
                "and none of its forecasts was scored on another run."
            )
        ratio = parameters / self.parameters
        if not 1 / SIZE_FACTOR <= ratio <= SIZE_FACTOR:
            found.append(
                f"The model has {parameters:,} parameters, and RL's speed was fitted at {self.parameters:,}. "
                "Do not trust the step of the collapse, and shares only where the policy has settled."
            )
        if algorithm not in self.algorithms:
            found.append(
                f"No run of {algorithm} was among the {self.num_runs} runs that the simulation was fitted on."
            )
        if optimizer != self.optimizer:
            found.append(f"The simulation was fitted on runs with {self.optimizer}, not {optimizer}.")
        return found


@cache
def calibration() -> Calibration:
    """The shipped one (`calibration.json`)."""
    data = shipped_calibration()
    return Calibration(
        Gains(**data["gains"]),
        data["num_runs"],
        data["num_bases"],
        data["parameters"],
        tuple(data["algorithms"]),
        data["optimizer"],
        data["num_scored"],
    )


def as_json(found: Calibration) -> str:
    """The text of `calibration.json`."""
    return json.dumps(asdict(found), indent=1) + "\n"
