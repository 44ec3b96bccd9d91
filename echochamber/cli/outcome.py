"""What a study says at its end: what failed and how to go on, else its figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import format_title

if TYPE_CHECKING:
    from ..study.run import StudyRun

MOST_FAILURES = 10
"""Failed stages that are named; the report has all."""


def print_outcome(done: "StudyRun", command: str) -> None:
    """Print how a study ended; `typer.Exit` with its status where stages failed. `command` continues it."""
    if done.was_finished:
        print(f"Nothing to do: all {done.num_stages} stages are done.")
    if done.failed:
        print(describe_failure(done, command))
    if not done.failed or done.summary.get("final"):
        print(describe_summary(done.summary, done.report))
    if done.failed:
        raise typer.Exit(done.exit_status)


def describe_failure(done: "StudyRun", command: str) -> str:
    """The failed stages with their reasons, what stays, and the command that goes on."""
    num_done = done.num_stages - len(done.failed) - done.num_left
    stages = "1 stage" if len(done.failed) == 1 else f"{len(done.failed)} stages"
    lines = [
        f"{stages} failed. {num_done} of {done.num_stages} stages are done and stay; "
        f"{done.num_left} were not started, because they rest on what failed."
    ]
    lines += [f"  {' '.join(failure.split())}" for failure in done.failed[:MOST_FAILURES]]
    if len(done.failed) > MOST_FAILURES:
        lines.append(f"  and {len(done.failed) - MOST_FAILURES} more: echochamber status {done.folder}")
    return "\n".join([*lines, f"Mend the cause, then go on with: {command}", f"Report so far: {done.report}"])


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
