"""`echochamber grade`: grade completions from a file."""

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption, ModuleOption, QuietOption, load_modules, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("grade", epilog="Example: echochamber grade --in completions.jsonl --out verdicts.jsonl")(
        grade
    )


def grade(
    source: Annotated[
        Path,
        typer.Option(
            "--in", metavar="F.jsonl", help='Lines {"id", "completion", "reference"}; .gz is read too.'
        ),
    ],
    target: Annotated[
        Path,
        typer.Option(
            "--out", metavar="F.jsonl", help="One line of verdict per completion, in the same order."
        ),
    ],
    tier2: Annotated[
        bool,
        typer.Option(
            "--tier2", help="Run programs that need sympy or other libraries in a locked-down process."
        ),
    ] = False,
    module: ModuleOption = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Stop at the first bad line instead of reporting and skipping it."),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Grade completions: format, answer and outcome. Programs run in a sandbox."""
    from ..core.progress import say
    from ..verify.grade_file import grade_lines
    from ..verify.grader_config import GraderConfig

    load_modules(module)
    counts = grade_lines(source, target, strict, GraderConfig(tier2=tier2), on_bad_line=say)
    if as_json:
        outcomes, formats = dict(counts.outcomes), dict(counts.formats)
        rows = {"graded": counts.rows, "bad_lines": counts.bad_lines}
        print_json(rows | {"outcomes": outcomes, "formats": formats, "verdicts": str(target)})
        return
    correct = counts.outcomes.get("correct", 0)
    print(f"{counts.rows} completions graded, {correct} correct; {counts.bad_lines} bad lines skipped")
    print("outcomes " + ", ".join(f"{name} {count}" for name, count in counts.outcomes.most_common()))
    print("formats  " + ", ".join(f"{name} {count}" for name, count in counts.formats.most_common()))
    print(f"Verdicts: {target}")
