"""`echochamber report`: build the page of a study, finished or not."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", epilog="Example: echochamber report runs/quickstart")(report)


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Folder of the study, such as runs/quickstart.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write. Default: STUDY/report.html."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            "--watch",
            help="Serve the page on this machine only and rebuild it as results arrive. Ctrl-C stops it.",
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the live page; 0 chooses a free one.")
    ] = 0,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Also write every figure to DIR, as PNG and SVG."),
    ] = None,
) -> None:
    """Write the report page of a study, finished or not.

    The page shows the results so far and names what is missing.
    """
    from ..analysis.report import build_report
    from ..papers.page_ledger import page_ledger

    if figures is not None:
        from ..analysis.plots import save_figures

        print("\n".join(str(path) for path in save_figures(folder, figures)))
    if live:
        from ..analysis.live_report import serve_live_report

        serve_live_report(folder, out, port, announce=print, ledger=page_ledger)
        return
    print(build_report(folder, out, page_ledger))
