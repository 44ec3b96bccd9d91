"""`echochamber sample`: completions of one question."""

from typing import Annotated

import typer

from .options import (
    EngineOption,
    ExamplesOption,
    FewShotOption,
    MaxNewTokensOption,
    ModuleOption,
    PromptSuffixOption,
    SeedOption,
    StopOption,
    SystemOption,
    TemplateOption,
    TopKOption,
    TopPOption,
    TrustOption,
    load_modules,
    stop_strings,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "sample",
        epilog='Example: echochamber sample runs/quickstart "Mia has 3 boxes of 6 pens. How many pens?" -n 4 '
        "--reference 18",
    )(sample)


def sample(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A checkpoint folder, an artifact that has some, a study, or hub:OWNER/NAME[@REVISION].",
        ),
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
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
    top_p: TopPOption = None,
    top_k: TopKOption = None,
    stop: StopOption = None,
    max_new_tokens: MaxNewTokensOption = None,
    prompt_suffix: PromptSuffixOption = None,
    template: TemplateOption = None,
    system: SystemOption = None,
    few_shot: FewShotOption = None,
    examples: ExamplesOption = None,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    engine: EngineOption = "auto",
    trust_remote_code: TrustOption = False,
) -> None:
    """Print completions of one question with format and answer; a reference adds the outcome."""
    load_modules(module)
    from .. import api

    completions = api.sample(
        checkpoint,
        question,
        number,
        format_name=format_name,
        reference=reference or "",
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=stop_strings(stop),
        max_new_tokens=max_new_tokens,
        prompt_suffix=prompt_suffix,
        template=template,
        system=system,
        few_shot=few_shot,
        examples=examples,
        seed=seed,
        engine=engine,
        trust_remote_code=trust_remote_code,
    )
    for index, (text, verdict, truncated) in enumerate(completions):
        grade = verdict.outcome if reference else "not graded"
        cut = ", cut at the length limit" if truncated else ""
        print(
            f"--- {index + 1}: {verdict.format}, answer {verdict.answer or 'none'}, "
            f"{grade}{cut}\n{text.strip()}\n"
        )
