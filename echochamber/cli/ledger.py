"""`echochamber ledger`: verdicts on a set of claims, from a study or from its small tables."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption, ModuleOption, load_modules, print_json

if TYPE_CHECKING:
    from ..claims.ledger import Ledger
    from ..core.study_tables import Tables


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
        str | None,
        typer.Option(
            "--claims",
            metavar="SET",
            help="Which claim set to judge; a module may register its own. Default: the one that the study's "
            "recipe names.",
        ),
    ] = None,
    module: ModuleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge claims by criteria that were fixed in advance.

    The numbers come from a study, or from its small tables alone.
    """
    from ..analysis.study_tables.open import open_tables
    from ..claims.ledger import ledger_data, make_ledger, save_ledger
    from ..papers.catalogue import find_claim_set

    load_modules(module)
    found_tables = open_tables(folder)
    chosen = claims or _set_of(found_tables)
    if chosen is None:
        if as_json:
            print_json({"study": found_tables.about.get("name"), "set": None, "criteria": None, "claims": []})
        else:
            print(f"{folder}: its recipe names no claims; --claims echo_chamber judges those of the paper")
        return
    found = make_ledger(found_tables, find_claim_set(chosen))
    written = save_ledger(found, tables) if tables else []
    if page is not None:
        written += _write_page(found, tables or folder, page)
    if as_json:
        print_json(ledger_data(found) | {"files": [str(path) for path in written]})
        return
    print("\n".join(_lines(found)))
    for path in written:
        print(path)


def _set_of(tables: "Tables") -> str | None:
    """The claim set that a study's recipe names first; None where it names no claim."""
    recipe = tables.about.get("recipe")
    named = recipe.get("claims") if isinstance(recipe, dict) else None
    if not isinstance(named, list) or not named:
        return None
    return named[0].partition("/")[0] if isinstance(named[0], str) else "echo_chamber"


def _lines(found: "Ledger") -> list[str]:
    """For each claim its verdict and sentence, then what it was measured by."""
    from ..claims.ledger import estimate_text

    lines = []
    for line in found.lines:
        about = "; ".join(f"{one.label} {estimate_text(one)}" for one in line.criteria)
        lines.append(f"{line.claim.label:>2}  {line.verdict:17} {line.claim.statement}")
        lines.append(f"    {'':17} {about or line.reason}")
    return [*lines, found.criteria_note]


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
