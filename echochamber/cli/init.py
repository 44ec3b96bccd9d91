"""`echochamber init`: a commented recipe to start from."""

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UserError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog="Example: echochamber init my-study")(init)


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the study; NAME.yaml is written.")],
) -> None:
    """Write NAME.yaml, a small recipe with comments to start from.


    It has two formats, GRPO and a null model. An existing file is left as it is.
    """
    import re
    from importlib import resources

    from ..core.files import write_text
    from ..study.recipe_files import SCHEMA_HEADER, schema_path

    if not re.fullmatch(NAME, name):
        raise UserError(
            f"init {name!r}: expected a name of letters, digits, '.', '_' and '-', without a folder"
        )
    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if path.exists():
        raise UserError(f"{path}: exists already; choose another name")
    text = (resources.files("echochamber.cli") / "starter.yaml").read_text(encoding="utf-8")
    write_text(path, f"{SCHEMA_HEADER}{schema_path()}\n" + text.replace("NAME", path.stem))
    print(f"{path}\nPlan and cost: echochamber study {path} --dry-run\nRun it: echochamber study {path}")
