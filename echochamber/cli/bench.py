"""`echochamber bench`: this project beside its peers on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "bench",
        epilog="Example: echochamber bench --peer-python vllm=envs/vllm/bin/python --peer-python "
        "trl=envs/trl/bin/python --only sampling",
    )(bench)


def bench(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the trained model, logs and bench.json. Existing files are used again.",
        ),
    ] = Path("runs/bench"),
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="WORK",
            help="One of sampling, training, grpo and growth; may be repeated. Default: all.",
        ),
    ] = None,
    peer_python: Annotated[
        list[str] | None,
        typer.Option(
            "--peer-python",
            metavar="NAME=PATH",
            help="Python of the environment that has transformers, openvino, onnxruntime, llama.cpp, vllm or "
            "trl; may be repeated. Default: this one.",
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Measured turns per contender. The output has their medians.")
    ] = 5,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Also write the tables into this Markdown page, between its bench marks.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="One repeat with a tiny model. It shows that everything runs; its numbers mean nothing.",
        ),
    ] = False,
) -> None:
    """Compare the speed of sampling and training with other libraries.

    These are the peers that are installed. GRPO steps are timed too, and how cost grows.
    """
    from ..bench.run import RESULTS, run_bench
    from ..bench.tables import fill_page, markdown

    results = run_bench(out, only or [], peer_python or [], 1 if quick else repeats, quick)
    text = markdown(results)
    print(text)
    if page is not None:
        fill_page(page, text)
    print(f"Results: {out / RESULTS}")
