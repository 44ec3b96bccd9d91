"""An unforeseen exception is a bug: one line for the person, the traceback in a file."""

import os
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

from .manifest import library_versions
from .version import __version__

EXIT_BUG = 70
"""Exit status of a command that met an unforeseen exception (EX_SOFTWARE of sysexits.h)."""


def report_bug(error: BaseException, folder: Path | None = None) -> str:
    """Save the traceback in `folder`, else in the folder for temporary files; the line that says so."""
    trace = "".join(traceback.format_exception(error))
    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    text = f"echochamber {__version__}; {versions}\ncommand: {sys.argv}\n\n{trace}"
    name = f"traceback-{time.strftime('%Y%m%d-%H%M%S')}-"
    reason = next(iter(str(error).splitlines()), "")
    what = f"unexpected {type(error).__name__}" + (f" ({reason[:200]})" if reason else "")
    for place in [*([folder] if folder else []), Path(tempfile.gettempdir())]:
        with suppress(OSError):
            descriptor, path = tempfile.mkstemp(".txt", name, place)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return f"{what}; this is a bug, please report it with {path}"
    return f"{what}; this is a bug, and its traceback could not be saved"
