"""Starts the process that sends a study's logs to trackers, and ends it with the study."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast, get_args

from ..analysis.study_folder import load_study
from ..core.errors import UserError
from ..core.progress import say
from ..core.suggest import did_you_mean
from ..core.trackers.interface import TrackerName, check_installed
from .track_logs import is_all_sent, read_record, tracked_stages

WAIT_SECONDS = 60.0
"""Longest wait of a study's end for its trackers."""


@contextmanager
def tracking(
    names: Sequence[TrackerName], folder: Path, patience: float | None = WAIT_SECONDS
) -> Iterator[None]:
    """While the block runs, the study's logs go to these trackers; `study.json` must be there.

    No process is started where all was sent before. `patience`: seconds to wait at the end; None: as long
    as it takes.
    """
    if not names or is_all_sent(folder, names):
        yield
        return
    # -P: a folder or file of the user's named like a tracker's package is not imported in its place.
    command = [sys.executable, "-P", "-m", "echochamber.study.track_logs", str(folder), *names]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    listener = threading.Thread(target=_repeat, args=(child,), daemon=True)
    listener.start()
    try:
        yield
    finally:
        _end(child, listener, patience)


def _repeat(child: "subprocess.Popen[bytes]") -> None:
    assert child.stdout is not None
    for line in child.stdout:
        say(f"track: {line.decode(errors='replace').strip()}")


def _end(child: "subprocess.Popen[bytes]", listener: threading.Thread, patience: float | None) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(OSError):
        child.stdin.close()
    try:
        status = child.wait(patience)
    except subprocess.TimeoutExpired:
        say(f"track: still sending after {patience:.0f} s; it goes on without the study")
        return
    listener.join()
    child.stdout.close()
    if status:
        say(
            f"track: the process that sends the logs ended with status {status}; "
            "the study's next run sends the rest"
        )


def send_logs(folder: Path, names: Sequence[str] | None = None) -> list[str]:
    """Send what the logs hold now; one line per tracker says what it has. None: the recipe's trackers."""
    study, known = load_study(folder), get_args(TrackerName)
    asked = list(names if names is not None else study.recipe.get("track") or ())
    for name in asked:
        if name not in known:
            raise UserError(
                f"tracker {name!r} is not known{did_you_mean(name, known)}; there are {', '.join(known)}"
            )
    if not asked:
        raise UserError(f"{folder}: its recipe has no `track`; name a tracker with --to: {', '.join(known)}")
    check_installed(asked, str(folder))
    with tracking(cast(Sequence[TrackerName], asked), folder, patience=None):
        pass
    stages, record = tracked_stages(study), read_record(folder)
    runs = {name: [record.get(name, {}).get(stage.artifact, {}) for stage in stages] for name in asked}
    return [
        f"{name}: {sum(run.get('complete') is True for run in found)} of {len(found)} runs complete, "
        f"{sum(bool(run) for run in found)} begun; project {study.name}"
        for name, found in runs.items()
    ]
