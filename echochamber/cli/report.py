"""`echochamber report`: build the page of a study, finished or not."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", epilog="Example: echochamber report runs/quickstart")(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A study's folder, such as runs/quickstart.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write; STUDY/report.html if not given.")] = None,
) -> None:
    """Write report.html; what is there is shown, what is missing is named."""
    from ..analysis.report import build_report

    print(build_report(folder, out))
