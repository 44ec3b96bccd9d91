"""`echochamber status`: what of a study runs, what is done, and the time left."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption, print_json

if TYPE_CHECKING:
    from ..study.study_state import RunningStage, StudyState


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", epilog="Example: echochamber status runs/quickstart")(status)


def status(
    folder: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Folder of the study, such as runs/quickstart.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Say how far a study is: what is done, what runs, what failed.


    It also estimates the time left. It only reads, so any terminal can ask while the study runs, on read-only
    and damaged folders too.
    """
    from ..study.study_state import study_state

    found = study_state(folder)
    if as_json:
        print_json(found.to_json())
    else:
        print("\n".join(_lines(found)))


def _lines(found: "StudyState") -> list[str]:
    counts = ", ".join(
        f"{count} {state}" for state, count in found.stages.items() if count or state == "done"
    )
    lines = [
        f"{found.name} in {found.folder}: {found.state}; of {sum(found.stages.values())} stages {counts}"
    ]
    lines += [_running_line(stage) for stage in found.running]
    lines += [f"  failed   {stage.id}: {' '.join(stage.error.split())}" for stage in found.failed]
    if left := _left(found):
        lines.append(left)
    if found.command is not None and found.state != "running":
        lines.append(f"Go on with: {found.command}")
    return [*lines, *([f"Report: {found.report}"] if found.report else [])]


def _running_line(stage: "RunningStage") -> str:
    from ..core.progress import clock

    state = "cut" if stage.held is False else "running"
    far = f"  {stage.done:g}/{stage.total:g}" if stage.done is not None and stage.total is not None else ""
    left = f", {clock(stage.seconds_left)} left" if stage.seconds_left is not None else ""
    note = f"  {stage.note}" if stage.note else ""
    return f"  {state:8} {stage.id}{far}{left}{note}"


def _left(found: "StudyState") -> str:
    """The time left, and what it leaves out."""
    from ..core.progress import clock

    spent = f"Finished stages took {clock(found.seconds_done)}"
    if found.state == "done":
        return f"{spent}."
    if found.seconds_left is None:
        return f"{spent}. Time left: not known before a stage of each kind has finished."
    without = f", without {', '.join(found.not_estimated)}" if found.not_estimated else ""
    return f"{spent}. Time left: about {clock(found.seconds_left)}{without}."
