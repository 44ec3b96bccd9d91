"""`echochamber doctor`: what is here, what will be slow and why; `--gpu`: whether a device computes right."""

from typing import Annotated

import typer

from .options import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog="Example: echochamber doctor")(doctor)


GpuOption = Annotated[
    bool,
    typer.Option(
        "--gpu", help="Compare a CUDA device with the CPU, then time training and sampling; takes minutes."
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="With --gpu: cuda, or cpu, which runs the same script at tiny sizes.")
]


def doctor(gpu: GpuOption = False, device: DeviceOption = "cuda", as_json: JsonOption = False) -> None:
    """Report what this machine offers and what will be slow.

    It lists cores, precision, compiler, sandbox tiers and optional engines.
    """
    if gpu:
        _check_device(device, as_json)
        return
    from ..study.doctor import findings

    found = findings()
    if as_json:
        rows = [{"name": name, "state": state, "detail": detail} for name, state, detail in found]
        print_json({"findings": rows})
        return
    for name, state, detail in found:
        print(f"{state:8} {name:22} {detail}")


def _check_device(name: str, as_json: bool) -> None:
    """Print the self-check's table as it grows; exit status 1 where a comparison failed."""
    from ..bench.self_check import run_self_check

    found = []
    for one in run_self_check(name):
        found.append(one)
        if not as_json:
            print(f"| {one.name} | {one.state} | {one.detail} |", flush=True)
    if as_json:
        print_json({"findings": [{"name": f.name, "state": f.state, "detail": f.detail} for f in found]})
    if any(one.state == "FAILED" for one in found):
        raise typer.Exit(1)
