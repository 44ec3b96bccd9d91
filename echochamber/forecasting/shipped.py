"""`calibration.json` as plain data; a graph of stages reads it without loading the simulation."""

import json
from functools import cache
from importlib.resources import files
from typing import TypedDict


class ShippedCalibration(TypedDict):
    """Fields of `calibration.Calibration`, with plain values."""

    gains: dict[str, float]
    num_runs: int
    num_bases: int
    parameters: int
    algorithms: list[str]
    optimizer: str
    num_scored: int


@cache
def shipped_calibration() -> ShippedCalibration:
    """What the package carries."""
    text = files(__package__).joinpath("calibration.json").read_text(encoding="utf-8")
    data: ShippedCalibration = json.loads(text)
    return data
