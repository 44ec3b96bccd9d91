"""What a study says at its end: what failed and how to go on, else its figures."""

from typing import TYPE_CHECKING, Any

import typer

from .arm_table import arm_table, share_plot

if TYPE_CHECKING:
    from ..analysis.arm_scores import ArmScores
    from ..study.run import StudyRun

MOST_ARMS = 12
"""Arms that the end of a study shows; with more, the page compares them."""
MOST_FAILURES = 10
"""Failed stages that are named; the report has all."""


def print_outcome(done: "StudyRun", command: str) -> None:
    """Print how a study ended; `typer.Exit` with its status where stages failed. `command` continues it."""
    if done.was_finished:
        print(f"Nothing to do: all {done.num_stages} stages are done.")
    if done.failed:
        print(describe_failure(done, command))
    if not done.failed or done.summary.get("final"):
        print(describe_summary(done))
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


def describe_summary(done: "StudyRun") -> str:
    """Path of the report, the first arm with its formats over the steps, and all arms where they are few."""
    from ..analysis.arm_scores import arm_scores

    arms = arm_scores(done.folder)
    lines = [f"Report: {done.report}"]
    if arms:
        lines += _first_arm(arms[0])
    if 1 < len(arms) <= MOST_ARMS:
        lines += [
            f"All {len(arms)} arms, 95% intervals in brackets:",
            *(f"  {row}" for row in arm_table(arms)),
        ]
    elif len(arms) > MOST_ARMS:
        lines.append(
            f"{len(arms)} arms; the report has all, and echochamber compare {done.folder} prints them"
        )
    stages = done.summary.get("stages")
    if isinstance(stages, dict):
        times = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages.items())
        lines.append(f"  time          {times}; total {sum(stages.values()):.0f} s")
    return "\n".join(lines)


def _first_arm(arm: "ArmScores") -> list[str]:
    base, final = arm.base or {}, arm.final or {}
    seeds = f"seed {arm.seeds[0]}" if len(arm.seeds) == 1 else f"{len(arm.seeds)} seeds"
    lines = [
        f"  arm           {arm.label}; {seeds}, problems of {arm.problems}",
        f"  accuracy      base {_percent(base.get('accuracy'))}   after RL "
        f"{_percent(final.get('accuracy'))}   (greedy: {_percent(base.get('greedy_accuracy'))} -> "
        f"{_percent(final.get('greedy_accuracy'))})",
        f"  formats base  {_shares(base, arm.titles)}",
        f"  formats after {_shares(final, arm.titles)}",
        f"  pass@k        base {_curve(base.get('pass@k'))}   after RL {_curve(final.get('pass@k'))}",
    ]
    if plot := share_plot(arm):
        lines.append(
            f"  Shares of the completions that RL drew, steps 1 to {arm.steps}, bars from 0 to 100%:"
        )
        lines += [f"    {row}" for row in plot]
    return lines


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f}%"


def _shares(scores: dict[str, Any], titles: dict[str, str]) -> str:
    formats = {name: row for name, row in scores.get("formats", {}).items() if (row or {}).get("share")}
    ranked = sorted(formats.items(), key=lambda item: -item[1]["share"])
    return (
        ", ".join(f"{titles.get(name, name)} {_percent(row['share'])}" for name, row in ranked)
        or "not measured"
    )


def _curve(values: dict[str, float | None] | None) -> str:
    known = values or {}
    chosen = dict.fromkeys(k for k in ("1", "8", *list(known)[-1:]) if k in known)
    return " ".join(f"@{k} {_percent(known[k])}" for k in chosen) or "not measured"
