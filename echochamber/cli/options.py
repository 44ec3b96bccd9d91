"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe (see `echochamber recipes`) or a path ending in .yaml.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Dotted overrides, for example seeds=[0,1,2] rl.grpo.steps=20.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder; runs/RECIPE if not given.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Stages that run at once, each with runtime.threads threads.")]
CheckpointOption = Annotated[
    str,
    typer.Option("--checkpoint", metavar="PLACE", help="A checkpoint folder, an artifact that has checkpoints, a study with one, or hub:OWNER/NAME[@REVISION]."),
]
PromptSuffixOption = Annotated[str, typer.Option("--prompt-suffix", help="Text between question and completion, as the model was trained; by default an empty line.")]
