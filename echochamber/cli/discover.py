"""`echochamber discover`: the ways in which a model answers, as behaviours to track."""

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UserError
from .option_groups import CompletionOptions, EngineOptions, GivenOptions, SamplingOptions, with_groups
from .options import (
    ColumnsOption,
    ModuleOption,
    OnBadRowOption,
    SeedOption,
    WorldOption,
    bad_row_policy,
    column_names,
    load_modules,
)

EXAMPLE_LINES = 6
MOST_OF_PROBLEMS = 4
OF_FILES = ("model", "seed")
"""Arguments that matter for a file of completions too."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "discover",
        epilog="Example: echochamber discover runs/quickstart/artifacts/pretrain-* --problems all --limit 64 "
        "--samples 16",
    )(with_groups(discover))


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
        typer.Option("--problems", metavar="SET", help="Problems to answer, as in evaluate."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Number of problems.")] = 64,
    samples: Annotated[int, typer.Option(min=1, help="Completions per problem.")] = 8,
    temperature: Annotated[float | None, typer.Option(min=0.01, help="Default: the study's, else 1.")] = None,
    sampling: SamplingOptions,
    prompting: CompletionOptions,
    world: WorldOption = None,
    on_bad_row: OnBadRowOption = "error",
    columns: ColumnsOption = None,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    engine: EngineOptions,
    given: GivenOptions,
) -> None:
    """Find the kinds of a model's completions (extra [discover]).

    It prints a `behaviours:` block. A file of completions takes no option but --seed.
    """
    _refuse_options_of_sampling(given, model)
    load_modules(module)
    from ..data.columns import problem_columns
    from ..study.discover_checkpoint import discover_checkpoint

    settings = {"temperature": temperature} | sampling.settings() | prompting.settings()
    found = discover_checkpoint(
        model,
        problems,
        settings,
        limit,
        samples,
        seed,
        engine.runtime(),
        bad_row_policy(on_bad_row),
        world,
        problem_columns(column_names(columns)),
    )
    print(f"{found.completions} completions of {found.problems} problems")
    if not found.kinds:
        print(_no_kinds(found.candidates))
        for one in found.of_problems[:MOST_OF_PROBLEMS]:
            print(
                f"  left out, because the problem decides it: {one.name}, in {100 * one.share:.0f}% of the "
                f"completions, intraclass correlation over problems {one.correlation:.2f}"
            )
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


def _refuse_options_of_sampling(given: GivenOptions, model: str) -> None:
    """`UserError` where a file of completions was given options that only matter where a model is sampled."""
    from ..study.discover_checkpoint import FILES

    unused = [option for name, option in given.options.items() if name not in OF_FILES]
    if Path(model).suffix in FILES and unused:
        raise UserError(f"{model}: a file of completions is not sampled; leave out {', '.join(unused)}")


def _no_kinds(candidates: list[float]) -> str:
    """Why there are none; where clusters were unstable, how unstable, and what could settle it."""
    if len(candidates) < 2:
        return "no stable kinds: the completions have one structure"
    from ..verify.discovery.kinds import STABLE

    again = ", ".join(f"{one:.2f}" for one in candidates)
    return (
        f"no stable kinds: of {len(candidates)} clusters resamples found fewer than two again (mean Jaccard "
        f"similarity {again}; {STABLE} is needed). More completions may settle it (--limit, --samples)"
    )
