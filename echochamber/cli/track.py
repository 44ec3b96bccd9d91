"""`echochamber track`: send a study's logs to trackers."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("track", epilog="Example: echochamber track runs/quickstart --to tensorboard")(track)


def track(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study, finished or not.")],
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="tensorboard|trackio|wandb",
            help="May be repeated. Default: the recipe's `track`.",
        ),
    ] = None,
) -> None:
    """Send the metrics logs of pretraining and RL to trackers. Steps that they have are not sent again."""
    from ..study.tracking import send_logs

    for line in send_logs(folder, to):
        print(line)
