"""`echochamber evaluate`: any checkpoint on any problem set."""

from pathlib import Path
from typing import Annotated

import typer

from .options import StopOption, TopKOption, TopPOption, stop_strings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "evaluate",
        epilog="Example: echochamber evaluate --checkpoint runs/quickstart --problems gsm8k/test.jsonl --limit 100 --out runs/gsm8k",
    )(evaluate)


def evaluate(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", metavar="PATH", help="A checkpoint folder, an artifact that has checkpoints, or a study with one.")],
    problems: Annotated[str, typer.Option("--problems", metavar="NAME_OR_FILE", help="World set (all, easy, medium, hard) or a file: JSONL(.gz), JSON, CSV, Parquet.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder; runs/evaluate-PROBLEMS if not given.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Completions per problem at the temperature, besides the greedy one.")] = 4,
    temperature: Annotated[float, typer.Option(min=0.01)] = 1.0,
    top_p: TopPOption = 1.0,
    top_k: TopKOption = 0,
    stop: StopOption = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 160,
    tier2: Annotated[bool, typer.Option("--tier2", help="Run programs that need sympy or other libraries in a locked-down process.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many problems.")] = None,
    seed: int = 0,
) -> None:
    """Greedy and sampled completions, graded: records.parquet, problems.parquet, summary.json."""
    from ..study.evaluate_once import evaluate_once

    settings = {
        "samples": samples, "temperature": temperature, "top_p": top_p, "top_k": top_k, "stop": stop_strings(stop),
        "max_new_tokens": max_new_tokens, "grader": {"tier2": tier2},
    }  # fmt: skip
    folder, rows, skipped = evaluate_once(checkpoint, problems, out, settings, limit, seed)
    for row in rows:
        low, high = row["intervals"]["accuracy"]
        shares = ", ".join(f"{name} {100 * f['share']:.1f}%" for name, f in row["formats"].items() if f["share"])
        print(f"{row['problem_set']}: {row['num_problems']} problems, {row['num_samples']} samples each")
        print(f"  accuracy {100 * row['accuracy']:.2f}% [{100 * low:.2f}, {100 * high:.2f}]   greedy {100 * row['greedy_accuracy']:.2f}%")
        print(f"  pass@k   {', '.join(f'@{k} {100 * v:.2f}%' for k, v in row['pass@k'].items())}")
        print(f"  formats  {shares}")
    if skipped:
        print(f"  {skipped} problems left out: with {max_new_tokens} new tokens they exceed the model's positions")
    print(f"Records: {folder / 'records.parquet'}")
