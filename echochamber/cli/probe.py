"""`echochamber probe`: what a checkpoint can do when it is not left to choose."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    CheckpointOption,
    ColumnsOption,
    EngineOption,
    ExamplesOption,
    FewShotOption,
    LimitOption,
    MaxNewTokensOption,
    ModuleOption,
    OnBadRowOption,
    ProblemsOption,
    PromptSuffixOption,
    SeedOption,
    SystemOption,
    TemplateOption,
    TrustOption,
    WorldOption,
    bad_row_policy,
    column_names,
    load_modules,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "probe",
        epilog="Example: echochamber probe --checkpoint runs/quickstart/artifacts/rl-... --reference "
        "runs/quickstart/artifacts/pretrain-... --problems all",
    )(probe)


def probe(
    checkpoint: CheckpointOption,
    problems: ProblemsOption,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="PLACE",
            help="A second checkpoint, such as the base, to compare likelihoods with.",
        ),
    ] = None,
    completions: Annotated[
        Path | None,
        typer.Option(
            "--completions",
            metavar="FILE",
            help="JSON Lines with question and completion. Their likelihood is measured too.",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Formats to force, separated by commas. Default: all that have an opening text."),
    ] = None,
    temperatures: Annotated[
        str, typer.Option(help="Temperatures of the sweep, separated by commas; 0 is greedy.")
    ] = "0,0.3,0.6,1",
    samples: Annotated[
        int, typer.Option(min=1, help="Completions per problem, for each format and temperature.")
    ] = 4,
    temperature: Annotated[
        float, typer.Option(min=0.01, help="Temperature of forced decoding and of log-probabilities.")
    ] = 1.0,
    max_new_tokens: MaxNewTokensOption = None,
    prompt_suffix: PromptSuffixOption = None,
    template: TemplateOption = None,
    system: SystemOption = None,
    few_shot: FewShotOption = None,
    examples: ExamplesOption = None,
    world: WorldOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder. Default: runs/probe-PROBLEMS."),
    ] = None,
    module: ModuleOption = None,
    limit: LimitOption = None,
    on_bad_row: OnBadRowOption = "error",
    columns: ColumnsOption = None,
    seed: SeedOption = 0,
    engine: EngineOption = "auto",
    trust_remote_code: TrustOption = False,
) -> None:
    """Measure accuracy per forced format and temperature, and likelihoods under checkpoints."""
    load_modules(module)
    from ..data.columns import problem_columns
    from ..model.prompt import prompt_settings
    from ..model.settings import RuntimeConfig
    from ..study.probe_checkpoint import probe_checkpoint

    settings = {
        "samples": samples,
        "temperature": temperature,
        "max_new_tokens": max_new_tokens,
        "prompt_suffix": prompt_suffix,
        "prompt": prompt_settings(template, system, few_shot, examples),
        "formats": None if formats is None else _parts(formats),
        "temperatures": _parts(temperatures),
    }
    folder, rows = probe_checkpoint(
        checkpoint,
        reference,
        problems,
        completions,
        out,
        settings,
        limit,
        seed,
        bad_row_policy(on_bad_row),
        world,
        RuntimeConfig(engine=engine, trust_remote_code=trust_remote_code),
        problem_columns(column_names(columns)),
    )
    print("95% intervals in brackets")
    for row in rows:
        print("  " + _line(row))
    print(f"Tables: {folder}")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _line(row: dict[str, Any]) -> str:
    if row["kind"] == "forced":
        kept = f"stayed in the format {_share(row, 'kept')}"
        return f"{row['problem_set']}, {row['format']} forced: accuracy {_share(row, 'accuracy')}, {kept}"
    if row["kind"] == "sweep":
        return f"{row['problem_set']}, temperature {row['temperature']:g}: accuracy {_share(row, 'accuracy')}"
    compared = (
        f", under the reference {_nats(row, 'logprob_reference')}" if "logprob_reference" in row else ""
    )
    measured = f"log-probability {_nats(row, 'logprob')}{compared}"
    return f"{row['problem_set']}, completions of {row['writer']}: {measured}"


def _share(row: dict[str, Any], name: str) -> str:
    bounds = row["intervals"][name]
    around = f" [{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]" if bounds else " [no interval]"
    return "not estimable" if row[name] is None else f"{100 * row[name]:.1f}%{around}"


def _nats(row: dict[str, Any], name: str) -> str:
    bounds = row["intervals"][name]
    return f"{row[name]:.2f} nats" + (f" [{bounds[0]:.2f}, {bounds[1]:.2f}]" if bounds else " [no interval]")
