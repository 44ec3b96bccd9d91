"""`echochamber bench`: this project beside its peers on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "bench",
        epilog="Example: echochamber bench --peer-python vllm=envs/vllm/bin/python --peer-python trl=envs/trl/bin/python --only sampling",
    )(bench)


def bench(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The trained model, logs and bench.json; what is there is used again.",
        ),
    ] = Path("runs/bench"),
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="WORK",
            help="sampling, training, grpo or growth; may be repeated. All if not given.",
        ),
    ] = None,
    peer_python: Annotated[
        list[str] | None,
        typer.Option(
            "--peer-python",
            metavar="NAME=PATH",
            help="Python of the environment that has transformers, vllm or trl; may be repeated. This one if not given.",
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Counted turns of each contender; medians are printed.")
    ] = 5,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page", metavar="FILE", help="Put the tables between the marks of this Markdown page."
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A tiny model and one repeat: shows that everything runs, its figures mean nothing.",
        ),
    ] = False,
) -> None:
    """Sampling, training and GRPO steps beside whatever peers are installed, as ratios in one run, and how cost grows."""
    from ..bench.run import RESULTS, run_bench
    from ..bench.tables import fill_page, markdown

    results = run_bench(out, only or [], peer_python or [], 1 if quick else repeats, quick)
    text = markdown(results)
    print(text)
    if page is not None:
        fill_page(page, text)
    print(f"Results: {out / RESULTS}")
