"""Where recipes lie, and what their files say once the recipes that they extend are laid below them."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from ..core.config import read_yaml
from ..core.errors import UserError
from ..core.suggest import did_you_mean
from .scopes import merge


def read_recipe(path: Path, above: tuple[Path, ...] = ()) -> dict[str, object]:
    """The content of a recipe's file, laid over the recipe that its key `extends` names.

    Mappings are joined key by key, everything else is replaced. `extends` is a shipped recipe's name, or a
    path ending in .yaml relative to the file's own folder. `above`: the files that extend this one.
    """
    data = read_yaml(path)
    if "extends" not in data:
        return data
    below = data.pop("extends")
    if not isinstance(below, str):
        raise UserError(f"{path}: extends is {below!r}; expected a shipped recipe's name or a path in .yaml")
    if "name" not in data:
        raise UserError(f"{path}: has no name; a recipe that extends another needs a name of its own")
    is_path = below.endswith((".yaml", ".yml"))
    found = find_recipe(str(path.parent / below) if is_path else below)
    if found.resolve() in [file.resolve() for file in (path, *above)]:
        raise UserError(f"{path}: extends {below!r}, which extends this recipe")
    return merge(read_recipe(found, (path, *above)), data)


def find_recipe(name_or_path: str) -> Path:
    """The file behind a recipe's name or path."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UserError(f"{path}: no such recipe file")
        return path
    shipped = shipped_recipes()
    if name_or_path not in shipped:
        raise UserError(
            f"recipe {name_or_path!r} is not known{did_you_mean(name_or_path, shipped)}; "
            f"there are {', '.join(shipped)}, or give a path ending in .yaml"
        )
    return shipped[name_or_path]


def shipped_folder() -> Path:
    """Where the package keeps its recipes."""
    return Path(str(resources.files("echochamber"))) / "recipes"


SCHEMA_HEADER = "# yaml-language-server: $schema="
"""Begins the comment by which a recipe names its schema to an editor."""


def schema_path() -> Path:
    """The JSON schema of recipe files (see `recipe_schema`)."""
    return shipped_folder() / "recipe.schema.json"


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with the package."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}


NAMED = ("rl", "mixtures")
"""Keys that hold entries under names of the recipe's own."""
MAKES_ONE = ("inherits", "preset", "algorithm", "sources")
"""Keys by which an override may begin a new entry."""


def refuse_mistyped_names(data: Mapping[str, object], overrides: Sequence[str]) -> None:
    """`UserError` where an override sets one key of an arm or mixture that the recipe does not have.

    It would else make an arm of defaults beside the one that was meant.
    """
    names = {table: list(found) for table in NAMED if isinstance(found := data.get(table), dict)}
    for override in overrides:
        table, _, rest = override.partition("=")[0].partition(".")
        name, _, key = rest.partition(".")
        known = names.get(table)
        if known is None or not name or name in known:
            continue
        if key and key not in MAKES_ONE:
            raise UserError(
                f"override {override!r}: {table} has no {name!r}{did_you_mean(name, known)}; there are "
                f"{', '.join(known)} (a new one is {table}.{name}={{...}})"
            )
        known.append(name)
