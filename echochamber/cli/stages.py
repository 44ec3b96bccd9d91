"""`prepare`, `pretrain`, `rl`: one stage of a recipe, with what it rests on."""

from pathlib import Path

import typer

from .options import OutOption, Overrides, RecipeArgument, WorkersOption


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command("prepare", epilog="Example: echochamber prepare quickstart mixtures.mix.budget_tokens=1M")(prepare)
    app.command("pretrain", epilog="Example: echochamber pretrain quickstart pretrain.optimizer.lr=1e-3 --out runs/try")(pretrain)
    app.command("rl", epilog="Example: echochamber rl quickstart rl.grpo.steps=20 --out runs/try")(rl)


def prepare(recipe: RecipeArgument, overrides: Overrides = None, out: OutOption = None, workers: WorkersOption = 1) -> None:
    """Problems, tokenizer, mixture plan and token shards."""
    _run({"problems", "tokenizer", "shards", "surface"}, recipe, overrides, out, workers)


def pretrain(recipe: RecipeArgument, overrides: Overrides = None, out: OutOption = None, workers: WorkersOption = 1) -> None:
    """Pretrain the recipe's models from scratch, preparing their data first where it is missing."""
    _run({"pretrain"}, recipe, overrides, out, workers)


def rl(recipe: RecipeArgument, overrides: Overrides = None, out: OutOption = None, workers: WorkersOption = 1) -> None:
    """Run the recipe's RL arms, pretraining their bases first where they are missing."""
    _run({"rl"}, recipe, overrides, out, workers)


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
        raise typer.Exit(1)
