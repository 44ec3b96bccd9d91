"""`prepare`, `pretrain`, `rl`: one stage of a recipe, with what it rests on."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import PLACES, OutOption, Overrides, QuietOption, RecipeArgument, WorkersOption, format_title
from .outcome import print_outcome

BaseOption = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="PLACE",
        help=f"Start the arms from this checkpoint, without pretraining: {PLACES}. Base and arms are "
        "evaluated, and a report is written. Default output: runs/rl-RECIPE.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command("prepare", epilog="Example: echochamber prepare quickstart mixtures.mix.budget_tokens=1M")(
        prepare
    )
    app.command(
        "pretrain",
        epilog="Example: echochamber pretrain quickstart pretrain.optimizer.lr=1e-3 --out runs/try",
    )(pretrain)
    app.command(
        "rl",
        epilog="Example: echochamber rl quickstart rl.grpo.steps=20 --out runs/try, or with a model of "
        "yours: echochamber rl quickstart --base runs/smollm2 rl.grpo.problems.set=gsm8k/train.jsonl",
    )(rl)


def prepare(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    out: OutOption = None,
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Prepare a recipe's data: problems, tokenizer and token shards."""
    _run({"problems", "tokenizer", "tokens", "shards", "contamination"}, recipe, overrides, out, workers)


def pretrain(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    out: OutOption = None,
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Pretrain a recipe's models from scratch. Missing data is prepared first."""
    _run({"pretrain"}, recipe, overrides, out, workers)


def rl(
    recipe: RecipeArgument,
    overrides: Overrides = None,
    base: BaseOption = None,
    out: OutOption = None,
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Run a recipe's RL arms. Missing bases are pretrained first, unless --base gives a checkpoint."""
    if base is None:
        _run({"rl"}, recipe, overrides, out, workers)
    else:
        _run_on_base(base, recipe, overrides, out, workers)


def _run(kinds: set[str], recipe: str, overrides: list[str] | None, out: Path | None, workers: int) -> None:
    from ..study.execute import open_study, run_study
    from ..study.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    graph, status = open_study(loaded, out or Path("runs") / loaded.name)
    failed = run_study(graph, status, kinds, workers)
    if failed is None:
        return
    for node in graph.nodes.values():
        if node.kind in kinds:
            print(f"{status.nodes[node.id].status:8} {node.id}  {graph.store.path(node.spec)}")
    if failed:
        raise typer.Exit(status.exit_status)


def _run_on_base(base: str, recipe: str, overrides: list[str] | None, out: Path | None, workers: int) -> None:
    """The whole study on a given checkpoint: base and arms scored, report and summary written."""
    from ..study.recipe import load_recipe
    from ..study.run import run_recipe
    from ..study.train_from_checkpoint import folder_on_base, read_arms

    loaded = load_recipe(recipe, overrides or []).model_copy(update={"base": base})
    done = run_recipe(loaded, out or folder_on_base(loaded), workers)
    if done is None:
        return
    for arm, seed, folder, steps in read_arms(done.folder):
        print(f"{arm}, seed {seed}: {steps[-1]['step']} steps")
        for label, row in (("first", steps[0]), ("last", steps[-1])):
            print(
                f"  {label:5} step, {row['num_completions']} completions: {_reward(row)}, formats "
                f"{_formats(row)}"
            )
        print(f"  Checkpoints: {folder / 'checkpoints'}")
    print_outcome(done, shlex.join(["echochamber", *sys.argv[1:]]))


def _reward(row: dict[str, float | None]) -> str:
    return "no reward known" if row["reward/mean"] is None else f"mean reward {row['reward/mean']:.3f}"


def _formats(row: dict[str, float | None]) -> str:
    shares = {
        name.split("/")[1]: share
        for name, share in row.items()
        if name.startswith("format/") and name.endswith("/share") and share
    }
    return ", ".join(
        f"{format_title(name)} {100 * share:.1f}%"
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    )
