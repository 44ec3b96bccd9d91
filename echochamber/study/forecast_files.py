"""A forecast as files: JSON, Parquet and a page."""

from dataclasses import asdict
from importlib.resources import files

import jinja2
import polars as pl
from markupsafe import Markup

from ..analysis.report import PAGE, content_policy
from ..core.files import write_json, write_text
from ..forecasting.calibration import calibration
from ..forecasting.outcome import LEVEL
from ..forecasting.share_figure import share_figure
from ..forecasting.words import headline, sections, title_of
from .forecast_checkpoint import CheckpointForecast

SCHEMA_VERSION = 1


def write_forecast(found: CheckpointForecast) -> None:
    """Write `forecast.json`, `forecast.parquet` (shares by scenario and step) and `forecast.html`."""
    write_json(found.folder / "forecast.json", forecast_json(found))
    _paths(found).write_parquet(found.folder / "forecast.parquet")
    write_text(found.folder / "forecast.html", forecast_page(found))


def forecast_json(found: CheckpointForecast) -> dict[str, object]:
    """Everything as plain values; shares by step are in the Parquet file alone."""
    table = found.table
    return {
        "schema_version": SCHEMA_VERSION,
        "problem_set": found.problem_set,
        "interval_level": LEVEL,
        "behaviours": {
            name: {
                "title": title_of(name),
                "completions": int(table.num[:, i].sum()),
                "share": float(table.shares[i]),
                "accuracy": float(table.accuracies[i]),
                "tokens_wrong": float(table.tokens[i, 0]),
                "tokens_right": float(table.tokens[i, 1]),
            }
            for i, name in enumerate(table.behaviours)
        },
        "left_out": found.left_out,
        "arm": found.arm.model_dump(mode="json"),
        "winner": found.outcome.winner,
        "outcome": _plain(found),
        "scenarios": [
            {"kind": scenario.kind, "key": scenario.key, "value": scenario.value}
            | {"win_probability": outcome.win_probability}
            | {"final_shares": {name: asdict(one) for name, one in outcome.final_shares.items()}}
            for scenario, outcome in found.tried
        ],
        "baselines": [asdict(one) for one in found.baselines],
        "calibration": asdict(calibration()),
        "warnings": found.warnings,
    }


def _plain(found: CheckpointForecast) -> dict[str, object]:
    data = asdict(found.outcome)
    del data["share_paths"]
    for name in ("pass_at_k", "maj_at_k"):
        data[name] = {k: {"before": before, "after": after} for k, (before, after) in data[name].items()}
    return data


def _paths(found: CheckpointForecast) -> pl.DataFrame:
    """Columns: kind, key, value, step, behaviour, share, low, high."""
    arm = ("arm", "", "", found.outcome)
    others = [(s.kind, s.key, s.value, outcome) for s, outcome in found.tried]
    rows = [
        (kind, key, value, step, name, one.value, one.low, one.high)
        for kind, key, value, outcome in (arm, *others)
        for name, path in outcome.share_paths.items()
        for step, one in enumerate(path)
    ]
    names = ["kind", "key", "value", "step", "behaviour", "share", "low", "high"]
    return pl.DataFrame(rows, schema=names, orient="row")


def forecast_page(found: CheckpointForecast) -> str:
    """A page without scripts, in the report's style."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("echochamber.forecasting") / "forecast.html.j2"
    style = (PAGE / "report.css").read_text(encoding="utf-8")
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        headline=headline(found.outcome),
        problem_set=found.problem_set,
        sections=sections(
            found.table, found.left_out, found.outcome, found.tried, found.arm, found.baselines
        ),
        figure=Markup(share_figure(found.outcome)),
        warnings=found.warnings,
        style=style,
        policy=Markup(content_policy(style, [], live=False)),
    )
