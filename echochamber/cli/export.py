"""`echochamber export`: a data set or a model that others can load."""

from pathlib import Path
from typing import Annotated

import typer

from .options import PLACES, QuietOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", epilog="Example: echochamber export runs/quickstart --to exported")(export)


def export(
    place: Annotated[
        str,
        typer.Argument(
            metavar="STUDY_OR_CHECKPOINT",
            help=f"A study's folder, for its completions and problems; for a model {PLACES}. A folder with "
            "study.json is taken as a study.",
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="New folder for the export.")],
    push: Annotated[
        str | None,
        typer.Option(
            "--push",
            metavar="OWNER/NAME",
            help="Also upload it to this repository of the hub (extra [hub]; token from `hf auth login`).",
        ),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public. Default: private.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a study or a checkpoint for the Hugging Face hub.

    Completions and problems become a data set with its card; a checkpoint gets a model card.
    """
    from ..study.export import export as write

    done = write(place, to, push, public)
    what = ", ".join(f"{rows:,} {name}" for name, rows in done.rows.items()) or "checkpoint with its card"
    print(f"{done.kind}: {what}")
    print(f"Folder: {done.folder}")
    if done.url:
        print(f"Pushed: {done.url}")
