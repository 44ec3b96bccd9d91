"""`echochamber forecast`: what RL would amplify in a model, before it is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .option_groups import EngineOptions, ProblemOptions, PromptOptions, with_groups
from .options import (
    PLACES,
    JsonOption,
    ModuleOption,
    ProblemsOption,
    QuietOption,
    SeedOption,
    column_names,
    load_modules,
    print_json,
)

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "forecast",
        epilog="Example: echochamber forecast runs/quickstart --problems all --algorithm grpo steps=48",
    )(with_groups(forecast))


def forecast(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"{PLACES[0].upper()}{PLACES[1:]}; of a study its base.")
    ],
    problems: ProblemsOption,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the arm, such as steps=100 kl.coef=0.01."),
    ] = None,
    *,
    algorithm: Annotated[
        str, typer.Option("--algorithm", metavar="NAME", help="An algorithm or a preset of RL arms.")
    ] = "grpo",
    samples: Annotated[int, typer.Option(min=2, help="Completions per problem.")] = 16,
    runs: Annotated[int, typer.Option(min=2, help="Simulations of the arm.")] = 24,
    further_runs: Annotated[int, typer.Option(min=2, help="Simulations of each changed arm.")] = 6,
    workers: Annotated[int, typer.Option(min=1, help="Processes that simulate at once.")] = 2,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder. Default: runs/forecast-PROBLEMS."),
    ] = None,
    prompting: PromptOptions,
    chosen: ProblemOptions,
    engine: EngineOptions,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say which behaviours RL would amplify, without training. Writes JSON, Parquet and a page."""
    load_modules(module)
    from .. import api

    found = api.forecast(
        model,
        problems,
        out,
        algorithm=algorithm,
        overrides=overrides or [],
        samples=samples,
        runs=runs,
        further_runs=further_runs,
        workers=workers,
        world=chosen.world,
        limit=chosen.limit,
        on_bad_row=chosen.policy,
        columns=column_names(chosen.columns),
        seed=seed,
        prompt_suffix=prompting.prompt_suffix,
        template=prompting.template,
        system=prompting.system,
        few_shot=prompting.few_shot,
        examples=prompting.examples,
        engine=engine.engine,
        trust_remote_code=engine.trust_remote_code,
        modules=[str(path) for path in module or ()],
    )
    if as_json:
        from ..study.forecast_files import forecast_json

        print_json(forecast_json(found))
        return
    from ..forecasting.words import headline, sections

    parts = sections(found.table, found.left_out, found.outcome, found.tried, found.arm, found.baselines)
    cares = [f"Read with care: {warning}" for warning in found.warnings]
    _print([headline(found.outcome)], cares, [])
    for part in parts:
        _print([f"\n{part.title}"], part.sentences, part.rows and [part.columns, *part.rows])
    _print([], [f"\nPage: {found.folder / 'forecast.html'}"], [])


def _print(bold: list[str], plain: list[str], table: list[list[str]]) -> None:
    """Lines, then a table whose first row are the names of its columns."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in bold:
        console.print(line, style="bold", markup=False)
    for line in plain:
        console.print(line, markup=False)
    if table:
        console.print(_table(table[0], table[1:]))


def _table(columns: list[str], rows: list[list[str]]) -> "Table":
    """Cells are text: what looks like markup in a title is printed as it is."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
