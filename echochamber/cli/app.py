"""The command line: parses, calls, prints. A command is imported when it is called (`commands`)."""

import io
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ..core.errors import UserError
from ..core.panics import panics_as_errors
from ..core.storage import storage_errno, storage_failure
from ..core.version import __version__
from .commands import LazyGroup


def _version(asked: bool) -> bool:
    if asked:
        print(f"echochamber {__version__}")
        raise typer.Exit
    return asked


app = typer.Typer(
    name="echochamber",
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="What does reinforcement learning do to the behaviours a language model learned in pretraining?",
)


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Options of every command."""


MOST_CHARACTERS = 2000
"""Of an error's line, which may quote what was given."""
LEAST_FILES = 8
"""Open files below which libraries end in a panic of their own, which nothing here can catch."""


def main() -> None:
    """Run a command; bad input is one line on stderr and exit status 2, without a traceback.

    Storage that refuses is such a line too, and so is a limit of fewer than `LEAST_FILES` open files. An
    unforeseen exception is a bug: one line, its traceback in a file, exit status 70.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or it reads every package's metadata
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold any byte
    if (files := _most_open_files()) is not None and files in range(LEAST_FILES):
        _stop(f"{files} files may be open at once, at least {LEAST_FILES} are needed; raise ulimit -n", 2)
    try:
        with panics_as_errors():
            app()
    except UserError as error:
        _stop(str(error), 2)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        _stop(_stopped(sys.argv[1:]), 130)
    except SystemExit as ended:
        if _by_ctrl_c(ended):
            _stop(_stopped(sys.argv[1:]), 130)
        raise
    except Exception as error:  # noqa: BLE001 - the one boundary: whatever nobody foresaw is reported here
        number = storage_errno(error)
        if number is not None:
            _stop(str(storage_failure(Path(getattr(error, "filename", None) or "output"), number)), 2)
        from ..core.bug_report import EXIT_BUG, report_bug  # with the versions of all libraries

        _stop(report_bug(error), EXIT_BUG)


def _most_open_files() -> int | None:
    """How many files this process may open at once; None where the system has no such limit (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


RESUMED = ("study", "prepare", "pretrain", "rl", "evaluate", "probe", "forecast")
"""Commands that go on where they were stopped."""


def _by_ctrl_c(error: BaseException | None) -> bool:
    """Whether typer made this of a Ctrl-C: it says nothing then."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _by_ctrl_c(error.__context__))


def _stopped(arguments: Sequence[str]) -> str:
    """What Ctrl-C says: the command that goes on, where there is something to go on with."""
    if not arguments or arguments[0] not in RESUMED:
        return "stopped"
    return f"stopped; go on with: {shlex.join(['echochamber', *arguments])}"


def _stop(message: str, status: int) -> NoReturn:
    """One line on stderr, then out; a stderr that takes nothing changes no exit status."""
    line = " ".join(message.split())
    line = line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}..."
    with suppress(OSError, ValueError):
        print(f"echochamber: {line}", file=sys.stderr, flush=True)
    sys.exit(status)
