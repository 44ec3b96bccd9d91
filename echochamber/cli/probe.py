"""`echochamber probe`: what a checkpoint can do when it is not left to choose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .option_groups import CompletionOptions, EngineOptions, ProblemOptions, with_groups
from .options import (
    CheckpointOption,
    JsonOption,
    ModuleOption,
    ProblemsOption,
    QuietOption,
    SeedOption,
    load_modules,
    print_json,
)


@dataclass(frozen=True)
class ProbeOptions:
    """What is measured."""

    formats: Annotated[
        str | None,
        typer.Option(help="Formats to force, separated by commas. Default: all that have an opening text."),
    ] = None
    temperatures: Annotated[
        str, typer.Option(help="Temperatures of the sweep, separated by commas; 0 is greedy.")
    ] = "0,0.3,0.6,1"
    samples: Annotated[
        int, typer.Option(min=1, help="Completions per problem, for each format and temperature.")
    ] = 4
    temperature: Annotated[
        float, typer.Option(min=0.01, help="Temperature of forced decoding and of log-probabilities.")
    ] = 1.0

    def settings(self) -> dict[str, object]:
        """Keys of the stage's settings."""
        return {
            "samples": self.samples,
            "temperature": self.temperature,
            "formats": None if self.formats is None else _parts(self.formats),
            "temperatures": _parts(self.temperatures),
        }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "probe",
        epilog="Example: echochamber probe --checkpoint runs/quickstart/artifacts/rl-... --reference "
        "runs/quickstart/artifacts/pretrain-... --problems all",
    )(with_groups(probe))


def probe(
    checkpoint: CheckpointOption,
    problems: ProblemsOption,
    *,
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
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder. Default: runs/probe-PROBLEMS."),
    ] = None,
    measured: ProbeOptions,
    prompting: CompletionOptions,
    chosen: ProblemOptions,
    engine: EngineOptions,
    module: ModuleOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure accuracy per forced format and per temperature.

    It also compares likelihoods under checkpoints.
    """
    load_modules(module)
    from ..study.probe_checkpoint import probe_checkpoint

    settings = measured.settings() | prompting.settings()
    places = checkpoint, reference, problems, completions, out
    given = chosen.policy, chosen.world, engine.runtime(), chosen.named_columns
    folder, rows = probe_checkpoint(*places, settings, chosen.limit, seed, *given)
    if as_json:
        print_json({"folder": str(folder), "rows": rows})
        return
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
