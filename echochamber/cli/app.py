"""The command line: parses, calls, prints. Heavy imports wait until a command needs them."""

import sys

import typer

from ..core.errors import UserError
from . import bench, doctor, evaluate, grade, ledger, probe, recipes, report, sample, stages, study

app = typer.Typer(
    name="echochamber",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What does reinforcement learning do to the behaviours a language model learned in pretraining?",
)
for module in (study, stages, evaluate, probe, report, ledger, recipes, grade, sample, bench, doctor):
    module.register(app)


def main() -> None:
    """Run a command; bad input is one line on stderr and exit status 2, without a traceback."""
    try:
        app()
    except UserError as error:
        print(f"echochamber: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        print("echochamber: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
