"""`echochamber recipes` and `echochamber show`: what there is, and every resolved setting."""

import typer

from .options import Overrides, RecipeArgument


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("recipes", epilog="Example: echochamber recipes")(recipes)
    app.command("show", epilog="Example: echochamber show quickstart rl.grpo.temperature=0.7")(show)


def recipes() -> None:
    """List the shipped recipes with their question, contents and cost."""
    from ..study.recipe import load_recipe
    from ..study.recipe_files import shipped_recipes

    for name in shipped_recipes():
        recipe = load_recipe(name, [])
        print(f"{name}\n  {recipe.question}\n  {' '.join(recipe.summary.split())}")


def show(recipe: RecipeArgument, overrides: Overrides = None) -> None:
    """Print a recipe as YAML with every key, defaults included."""
    from ..core.config import dump_yaml
    from ..study.recipe import load_recipe, say_modules

    say_modules(recipe, overrides or [])

    print(dump_yaml(load_recipe(recipe, overrides or []).resolved()), end="")
