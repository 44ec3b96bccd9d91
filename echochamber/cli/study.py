"""`echochamber study`: run or continue a whole study."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import OutOption, Overrides, RecipeArgument, WorkersOption, format_title


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
            help="Where stages run: local (processes on this machine) or ray (the cluster of RAY_ADDRESS; "
            "extra [ray])."
        ),
    ] = "local",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="First compare every file of finished stages with its checksum."),
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
) -> None:
    """Run a study from its recipe, or continue it. Finished stages are not run again."""
    from ..core.errors import UserError
    from ..study.recipe import load_recipe, say_modules, study_folder

    if dry_run:
        say_modules(recipe, overrides or [])
    loaded = load_recipe(recipe, overrides or [])
    if executor not in ("local", "ray"):
        raise UserError(f"--executor {executor!r} is not known; there are local and ray")
    if dry_run:
        from ..study.cost import describe_plan

        print(describe_plan(loaded, study_folder(loaded, out), workers))
        return
    from ..study.run import run_recipe

    command = _command(recipe, overrides or [], workers, executor)
    done = run_recipe(
        loaded, out, workers, "ray" if executor == "ray" else "local", command, verify, patience=60 * wait
    )
    if done is None:
        return
    if done.was_finished:
        print(f"Nothing to do: all {done.num_stages} stages of {loaded.name} are done.")
    print(describe_summary(done.summary, done.report))
    if done.failed:
        raise typer.Exit(done.exit_status)


def _command(recipe: str, overrides: list[str], workers: int, executor: str) -> str:
    """The command without folders, which are this machine's business."""
    options = [f"--workers {workers}"] if workers > 1 else []
    options += [f"--executor {executor}"] if executor != "local" else []
    return shlex.join(["echochamber", "study", Path(recipe).name, *overrides]) + "".join(
        f" {option}" for option in options
    )


def describe_summary(summary: dict[str, Any], report: Path) -> str:
    """Path of the report and five lines of figures."""
    base, final = summary.get("base") or {}, summary.get("final") or {}
    lines = [
        f"Report: {report}",
        f"  accuracy      base {_percent(base.get('accuracy'))}   after RL "
        f"{_percent(final.get('accuracy'))}   (greedy: {_percent(base.get('greedy_accuracy'))} -> "
        f"{_percent(final.get('greedy_accuracy'))})",
        f"  formats base  {_shares(base)}",
        f"  formats after {_shares(final)}",
        f"  pass@k        base {_curve(base.get('pass@k'))}   after RL {_curve(final.get('pass@k'))}",
        "  time          "
        f"{', '.join(f'{name} {seconds:.0f} s' for name, seconds in summary.get('stages', {}).items())}; "
        f"total {summary.get('total_seconds') or 0:.0f} s",
    ]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f}%"


def _shares(scores: dict[str, Any]) -> str:
    formats = {name: row for name, row in scores.get("formats", {}).items() if row.get("share")}
    return (
        ", ".join(
            f"{format_title(name)} {_percent(row['share'])}"
            for name, row in sorted(formats.items(), key=lambda item: -item[1]["share"])
        )
        or "not measured"
    )


def _curve(values: dict[str, float | None] | None) -> str:
    chosen = [k for k in ("1", "8", *list(values or {})[-1:]) if k in (values or {})]
    return " ".join(f"@{k} {_percent((values or {})[k])}" for k in dict.fromkeys(chosen)) or json.dumps(
        values
    )
