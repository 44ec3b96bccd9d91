"""`echochamber doctor`: what is here, what will be slow and why."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog="Example: echochamber doctor")(doctor)


def doctor() -> None:
    """Report this machine's cores, precision, compiler, sandbox tiers and optional engines."""
    from ..study.doctor import findings

    for name, state, detail in findings():
        print(f"{state:8} {name:22} {detail}")
