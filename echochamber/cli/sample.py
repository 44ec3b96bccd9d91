"""`echochamber sample`: completions of one question."""

from typing import Annotated

import typer

from .option_groups import CompletionOptions, EngineOptions, SamplingOptions, with_groups
from .options import ModuleOption, QuietOption, SeedOption, load_modules


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "sample",
        epilog='Example: echochamber sample runs/quickstart "Mia has 3 boxes of 6 pens. How many pens?" -n 4 '
        "--reference 18",
    )(with_groups(sample))


def sample(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A checkpoint folder, an artifact that has some, a study, or hub:OWNER/NAME[@REVISION].",
        ),
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    *,
    number: Annotated[int, typer.Option("-n", min=1, help="Number of completions.")] = 4,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Force this format: every completion starts with its opening text.",
        ),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="The correct answer, for grading.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0: greedy. Default: the study's, else 1.")
    ] = None,
    sampling: SamplingOptions,
    prompting: CompletionOptions,
    engine: EngineOptions,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Print completions of one question with format and answer.

    A reference adds the outcome.
    """
    load_modules(module)
    from ..study.sample_checkpoint import sample_checkpoint

    settings = {"temperature": temperature} | sampling.settings() | prompting.settings()
    runtime = engine.runtime()
    completions = sample_checkpoint(
        checkpoint, question, number, format_name, reference or "", settings, seed, runtime
    )
    for index, (text, verdict, truncated) in enumerate(completions):
        grade = verdict.outcome if reference else "not graded"
        cut = ", cut at the length limit" if truncated else ""
        print(
            f"--- {index + 1}: {verdict.format}, answer {verdict.answer or 'none'}, "
            f"{grade}{cut}\n{text.strip()}\n"
        )
