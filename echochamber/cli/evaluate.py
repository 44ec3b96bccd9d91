"""`echochamber evaluate`: any checkpoint on any problem set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .option_groups import CompletionOptions, EngineOptions, ProblemOptions, SamplingOptions, with_groups
from .options import (
    CheckpointOption,
    JsonOption,
    ModuleOption,
    ProblemsOption,
    QuietOption,
    SeedOption,
    format_title,
    load_modules,
    print_json,
)

if TYPE_CHECKING:
    from ..study.evaluate_checkpoint import CheckpointEvaluation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "evaluate",
        epilog="Example: echochamber evaluate --checkpoint runs/quickstart --problems gsm8k/test.jsonl "
        "--limit 100 --out runs/gsm8k",
    )(with_groups(evaluate))


def evaluate(
    checkpoint: CheckpointOption,
    problems: ProblemsOption,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder. Default: runs/evaluate-PROBLEMS."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Sampled completions per problem, besides the greedy one.")
    ] = 4,
    temperature: Annotated[
        float | None, typer.Option(min=0.01, help="Of the sampled completions. Default: the study's, else 1.")
    ] = None,
    tier2: Annotated[
        bool,
        typer.Option(
            "--tier2", help="Run programs that need sympy or other libraries in a locked-down process."
        ),
    ] = False,
    sampling: SamplingOptions,
    prompting: CompletionOptions,
    chosen: ProblemOptions,
    engine: EngineOptions,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score a checkpoint with greedy and sampled completions. Writes records, problems and summary."""
    load_modules(module)
    from ..study.evaluate_checkpoint import evaluate_checkpoint

    own = {"samples": samples, "temperature": temperature, "grader": {"tier2": tier2}}
    settings = {**own, **sampling.settings(), **prompting.settings()}
    scored = evaluate_checkpoint(
        checkpoint,
        problems,
        out,
        settings,
        chosen.limit,
        seed,
        chosen.policy,
        chosen.world,
        engine.runtime(),
        chosen.named_columns,
    )
    if as_json:
        print_json(_as_data(scored))
    else:
        _print(scored)


def _as_data(scored: "CheckpointEvaluation") -> dict[str, object]:
    """What `--json` prints."""
    return {
        "folder": str(scored.folder),
        "records": str(scored.folder / "records.parquet"),
        "scores": scored.rows,
        "left_out": scored.left_out,
        "shortcut_baselines": scored.shortcut_scores,
    }


def _print(scored: "CheckpointEvaluation") -> None:
    for row in scored.rows:
        _print_row(row)
    if scored.left_out:
        print(
            f"  {scored.left_out} problems left out: prompt and completion would exceed the model's positions"
        )
    print(scored.shortcuts)
    print(f"Records: {scored.folder / 'records.parquet'}")


def _print_row(row: dict[str, Any]) -> None:
    """The scores of one checkpoint on one problem set."""
    around = row["intervals"]
    shares = [
        f"{format_title(name)} {_percent(f['share'], around['formats'][name]['share'])}"
        for name, f in row["formats"].items()
        if f["share"]
    ]
    print(
        f"{row['problem_set']}: {row['num_problems']} problems, {row['num_samples']} samples each, 95% "
        "intervals in brackets"
    )
    print(
        f"  accuracy {_percent(row['accuracy'], around['accuracy'])}   greedy "
        f"{_percent(row['greedy_accuracy'], around['greedy_accuracy'])}"
    )
    for curve in ("pass@k", "maj@k"):
        values = sorted(row[curve].items(), key=lambda pair: int(pair[0]))
        print(f"  {curve:8} {', '.join(f'@{k} {_percent(v, around[curve][k])}' for k, v in values)}")
    print(f"  formats  {', '.join(shares)}")
    for name, scores in row.get("traits", {}).items():
        rate, with_it, without = (
            _percent(scores[key], around["traits"][name][key])
            for key in ("rate", "accuracy_with", "accuracy_without")
        )
        print(f"  trait {name} {rate}   accuracy with {with_it}   without {without}")
    if row["infrastructure"]:
        print(f"  {row['infrastructure']} completions could not be graded and are left out")


def _percent(value: float | None, interval: list[float] | None) -> str:
    """`57.0% [54.1, 59.8]`; what is not estimable says so."""
    if value is None:
        return "not estimable"
    return f"{100 * value:.1f}% " + (
        f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval else "[no interval]"
    )
