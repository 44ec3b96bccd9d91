"""`echochamber doctor`: what is here, what will be slow and why."""

import typer

from .options import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog="Example: echochamber doctor")(doctor)


def doctor(as_json: JsonOption = False) -> None:
    """Report this machine's cores, precision, compiler, sandbox tiers and optional engines."""
    from ..study.doctor import findings

    found = findings()
    if as_json:
        rows = [{"name": name, "state": state, "detail": detail} for name, state, detail in found]
        print_json({"findings": rows})
        return
    for name, state, detail in found:
        print(f"{state:8} {name:22} {detail}")
