"""`echochamber compare`: arms of several studies side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arm_table import arm_table

if TYPE_CHECKING:
    from ..analysis.arm_scores import ArmScores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "compare", epilog="Example: echochamber compare runs/quickstart runs/mine --page runs/both.html"
    )(compare)


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="STUDY", help="Folders of studies, finished or not.")
    ],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Also write the table as a page.")
    ] = None,
) -> None:
    """Print the arms of several studies side by side.


    A row has accuracy and pass@k before and after RL, and the most frequent format. Each study is scored on
    its own first problem set. 95% intervals are in brackets.
    """
    from ..analysis.arm_scores import arm_scores

    arms = _apart({folder: arm_scores(folder) for folder in folders})
    print("\n".join(arm_table(arms, with_study=True)))
    sets = {arm.problems for arm in arms if arm.problems}
    if len(sets) > 1:
        print(
            f"The studies are scored on different problems ({'; '.join(sorted(sets))}): do not compare "
            "accuracies across them."
        )
    if page is not None:
        from ..analysis.compare_page import save_compare_page

        save_compare_page(arms, page)
        print(f"Page: {page}")


def _apart(found: Mapping[Path, "Sequence[ArmScores]"]) -> "list[ArmScores]":
    """The arms of all studies; studies of one name are told apart by their folders."""
    names = [arms[0].study for arms in found.values() if arms]
    return [
        replace(arm, study=str(folder)) if names.count(arm.study) > 1 else arm
        for folder, arms in found.items()
        for arm in arms
    ]
