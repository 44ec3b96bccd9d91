"""`echochamber ledger`: verdicts on a set of claims, from a study or from its small tables."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import ModuleOption, load_modules

if TYPE_CHECKING:
    from ..claims.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "ledger",
        epilog="Example: echochamber ledger runs/paper-nano --tables results/paper-nano --page "
        "docs/RESULTS.md",
    )(ledger)


def ledger(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY_OR_TABLES", help="A study's folder, or a folder of tables that --tables wrote."
        ),
    ],
    tables: Annotated[
        Path | None,
        typer.Option(
            "--tables",
            metavar="DIR",
            help="Also write the small tables, ledger.csv and estimates.csv into this folder.",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Also write the results as a Markdown page, with figures in `figures` beside the tables.",
        ),
    ] = None,
    claims: Annotated[
        str,
        typer.Option(
            "--claims", metavar="SET", help="Which claim set to judge; a module may register its own."
        ),
    ] = "echo_chamber",
    module: ModuleOption = None,
) -> None:
    """Judge every claim of a set by its criterion, from a study or from its small tables alone."""
    from ..analysis.study_tables.collect import open_tables
    from ..claims.ledger import estimate_text, make_ledger, save_ledger
    from ..papers.catalogue import find_claim_set

    load_modules(module)
    found = make_ledger(open_tables(folder), find_claim_set(claims))
    written = save_ledger(found, tables) if tables else []
    if page is not None:
        written += _write_page(found, tables or folder, page)
    for line in found.lines:
        about = "; ".join(f"{one.label} {estimate_text(one)}" for one in line.criteria)
        print(f"{line.claim.label:>2}  {line.verdict:17} {about or line.reason}")
    print(found.criteria_note)
    for path in written:
        print(path)


def _write_page(found: "Ledger", source: Path, page: Path) -> list[Path]:
    """The results as a Markdown page, with its figures beside the tables; returns what was written."""
    from ..core.files import make_folder, write_text
    from ..papers.echo_chamber.figures import save_claim_figures
    from ..papers.echo_chamber.results_page import results_page

    make_folder(page.parent)
    drawn = save_claim_figures(found.tables, source / "figures")
    links = {path.stem: Path(os.path.relpath(path, page.parent)).as_posix() for path in drawn}
    command = f"echochamber ledger {_shown(source)} --page {_shown(page)}"
    write_text(page, results_page(found, command, links))
    return [*drawn, page]


def _shown(path: Path) -> str:
    """A path as the page names it: without the folders of this machine."""
    return path.as_posix() if not path.is_absolute() else path.name
