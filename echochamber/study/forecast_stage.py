"""The stage that forecasts an RL arm from the evaluation of its base, before the arm is read."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec
from ..forecasting.shipped import shipped_calibration
from ..rl.algorithms import algorithm_row
from ..rl.config import RLConfig
from ..stages.settings import FORECAST_VERSION
from .checkpoints import checkpoint_at
from .stage_graph import GridPoint, StageGraph
from .stage_inputs import tracked

if TYPE_CHECKING:
    from ..model.runtime import Runtime


def add_forecast(graph: StageGraph, point: GridPoint, base: str, evaluation: str, config: RLConfig) -> None:
    """Forecast an arm, where the base's evaluation shows what the arm would sample.

    `evaluation`: id of the base's evaluation at the point's pretraining step. There is no forecast for an
    arm on another problem set, at another temperature, or on given completions.
    """
    recipe, scored = graph.recipe, graph.recipe.evaluate
    if (
        not recipe.forecast.runs
        or config.problems.set not in scored.sets
        or config.temperature != scored.temperature
        or algorithm_row(config.algorithm).demonstrations
    ):
        return
    settings: dict[str, object] = {
        "rl": config.identity(),
        "runs": recipe.forecast.runs,
        "gains": shipped_calibration()["gains"],
    }
    settings |= tracked(recipe, point.mixture)
    parents = graph.fingerprints(base=base, evaluation=evaluation)
    spec = Spec("forecast", settings, FORECAST_VERSION, parents, graph.modules)

    def run(folder: Path, runtime: "Runtime") -> None:
        import polars as pl

        from ..core.files import write_json
        from ..forecasting.arm_forecast import FILE, forecast_arm
        from .forecast_checkpoint import num_parameters

        records = pl.read_parquet(graph.folder(evaluation) / "records.parquet")
        names = records["problem_set"].unique().to_list()
        name = names[0] if len(names) == 1 else config.problems.set
        model = checkpoint_at(graph.folder(base), point.from_step)
        found = forecast_arm(
            records, name, config, recipe.forecast.runs, num_parameters(model, recipe.runtime)
        )
        write_json(folder / FILE, found)

    graph.add(point.node("forecast", spec, (base, evaluation), run))
