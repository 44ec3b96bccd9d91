"""`echochamber discover`: the ways in which a model answers, as behaviours to track."""

from typing import Annotated

import typer

from .options import (
    EngineOption,
    MaxNewTokensOption,
    ModuleOption,
    PromptSuffixOption,
    SeedOption,
    StopOption,
    TopKOption,
    TopPOption,
    TrustOption,
    load_modules,
    stop_strings,
)

EXAMPLE_LINES = 6


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "discover",
        epilog="Example: echochamber discover runs/quickstart --problems all --limit 64 --samples 16",
    )(discover)


def discover(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint, study or hub:OWNER/NAME[@REVISION]; or a file of completions: "
            "records.parquet, rollouts.parquet, or JSON Lines with a text.",
        ),
    ],
    problems: Annotated[
        str | None,
        typer.Option(
            "--problems", metavar="SET", help="Problems to answer, as in evaluate. Not with a file."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of problems.")] = 64,
    samples: Annotated[int, typer.Option(min=1, help="Completions per problem.")] = 8,
    temperature: Annotated[float | None, typer.Option(min=0.01, help="Default: the study's, else 1.")] = None,
    top_p: TopPOption = None,
    top_k: TopKOption = None,
    stop: StopOption = None,
    max_new_tokens: MaxNewTokensOption = None,
    prompt_suffix: PromptSuffixOption = None,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    engine: EngineOption = "auto",
    trust_remote_code: TrustOption = False,
) -> None:
    """Find the kinds of a model's completions; prints a `behaviours:` block (extra [discover])."""
    load_modules(module)
    from ..model.runtime import RuntimeConfig
    from ..study.discover_checkpoint import discover_checkpoint

    settings = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "stop": stop_strings(stop),
        "max_new_tokens": max_new_tokens,
        "prompt_suffix": prompt_suffix,
        "prompt": None,
    }
    runtime = RuntimeConfig(engine=engine, trust_remote_code=trust_remote_code)
    found = discover_checkpoint(model, problems, settings, limit, samples, seed, runtime)
    print(f"{found.completions} completions of {found.problems} problems")
    if not found.kinds:
        print("no stable kinds: the completions have one structure, or none that resamples find again")
        return
    for kind in found.kinds:
        rule = kind.rule
        print(
            f"\n{kind.name}: {100 * kind.share:.1f}% of completions, stability {kind.stability:.2f}; rule: "
            f"{rule.key} {rule.text!r}, precision {rule.precision:.3f}, recall {rule.recall:.3f}"
        )
        for line in kind.example.splitlines()[:EXAMPLE_LINES]:
            print(f"  | {line}")
    print(f"\nby no rule: {100 * found.left_over:.1f}%\n\n{found.block}", end="")
