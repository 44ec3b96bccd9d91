"""`echochamber clean`: what lies in a study's folder and nothing references."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("clean", epilog="Example: echochamber clean runs/quickstart --remove")(clean)


def clean(
    folder: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Folder of the study, such as runs/quickstart.")
    ],
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is listed.")] = False,
) -> None:
    """List files that a study no longer needs.


    These are damaged and cut artifacts, and those that its study.json does not name, such as stages of
    earlier settings. What a running study is building is left out.
    """
    from ..core.storage import size_text
    from ..study.clean import remove_unreferenced, unreferenced

    found = unreferenced(folder)
    for one in found:
        print(f"{size_text(one.size):>10}  {one.why:28} {one.path}")
    total = size_text(sum(one.size for one in found))
    if not found:
        print(f"{folder}: nothing to remove")
    elif remove:
        print(f"removed: {remove_unreferenced(found)} of {len(found)}, {total}")
    else:
        print(f"{len(found)} to remove, {total}; --remove removes them")
