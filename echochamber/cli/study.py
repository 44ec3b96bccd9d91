"""`echochamber study`: run or continue a whole study."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import OutOption, Overrides, QuietOption, RecipeArgument, WorkersOption
from .outcome import print_outcome


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("study", epilog="Example: echochamber study quickstart seeds=[0,1,2] --out runs/three-seeds")(
        study
    )


def study(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    out: OutOption = None,
    workers: WorkersOption = 1,
    executor: Annotated[
        str,
        typer.Option(
            help="Where stages run: local (processes of this machine), ray (the cluster of RAY_ADDRESS; "
            "extra [ray]) or slurm (a job for each stage; extra [slurm])."
        ),
    ] = "local",
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            "--slurm",
            metavar="KEY=VALUE",
            help="An option of SLURM jobs, such as partition=gpu or time=240 (minutes). cluster=local runs "
            "jobs on this machine. May be repeated.",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="First compare every file of finished stages with its checksum, and hash input files anew.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            metavar="MINUTES",
            help="Longest wait for a stage that another run of this study is building.",
        ),
    ] = 1440,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print each stage, its state and its estimated cost; run nothing."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Run a study from its recipe, or continue it. Finished stages are not run again."""
    from ..study.executors import executor_name
    from ..study.recipe import load_recipe, say_modules, study_folder

    chosen, options = executor_name(executor), _pairs(slurm or [])

    if dry_run:
        say_modules(recipe, overrides or [])
    loaded = load_recipe(recipe, overrides or [])
    if dry_run:
        from ..study.cost import describe_plan

        print(describe_plan(loaded, study_folder(loaded, out), workers))
        return
    from ..study.run import run_recipe

    command = _command(recipe, overrides or [], workers, executor)
    done = run_recipe(loaded, out, workers, chosen, command, verify, patience=60 * wait, slurm=options)
    if done is None:
        return
    print_outcome(done, shlex.join(["echochamber", *sys.argv[1:]]))


def _pairs(given: list[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; `UserError` for another form."""
    from ..core.errors import UserError

    pairs = [text.partition("=") for text in given]
    for text, (key, _, value) in zip(given, pairs, strict=True):
        if not key.strip() or not value.strip():
            raise UserError(f"--slurm {text}: expected KEY=VALUE, such as partition=gpu")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _command(recipe: str, overrides: list[str], workers: int, executor: str) -> str:
    """The command without folders, which are this machine's business."""
    options = [f"--workers {workers}"] if workers > 1 else []
    options += [f"--executor {executor}"] if executor != "local" else []
    return shlex.join(["echochamber", "study", Path(recipe).name, *overrides]) + "".join(
        f" {option}" for option in options
    )
