"""The command, called in this process as a shell would, and how many cases are drawn for it."""

import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from echochamber.cli import main

SEED = int(os.environ.get("FUZZ_SEED", "0"))
"""Another seed draws other cases."""
CASES = {
    "overrides": 6000,
    "recipes": 4000,
    "problem files": 2500,
    "completion files": 500,
    "checkpoints": 2500,
    "grade input": 3000,
    "artifacts": 1400,
    "continued studies": 100,
    "processes": 300,
}
"""Cases of each kind in `make test-all`: 20,000 in this process in sum, and 300 as processes."""
HANGS = 120
"""Seconds of processor time after which a command counts as hanging; a busy machine hangs nothing."""


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Hangs(BaseException):
    """A command that does not end."""


def call(*arguments: object) -> Ended:
    """Call the command line; its output is text that a terminal in UTF-8 would take."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    before, sys.argv = sys.argv, ["echochamber", *map(str, arguments)]
    status = 0
    try:
        with _ended_in_time(), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    finally:
        sys.argv = before
    return Ended(status, *(_text(stream) for stream in (out, err)))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


@contextmanager
def _ended_in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hangs(f"still running after {HANGS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def check(ended: Ended) -> Ended:
    """Exit status 0, or 2 with one line of ours that says why; never a traceback."""
    said = ended.out + ended.err
    assert ended.status in (0, 2), f"exit status {ended.status}: {_trace(ended.err)}"
    assert "Traceback (most recent call last)" not in said, said
    if ended.status == 2:
        lines = ended.err.splitlines()
        reasons = [line for line in lines if line.startswith(("echochamber: ", "Error: ", "failed "))]
        assert reasons, f"exit status 2 without a reason: {ended.err!r}"
        assert len(reasons[0].partition(":")[2].strip()) > 10, ended.err
    return ended


def _trace(err: str) -> str:
    """The end of the traceback that a bug was saved in."""
    place = err.strip().rpartition(" ")[2]
    saved = Path(place) if err.strip() else Path()
    if not saved.is_file() or not saved.is_relative_to(tempfile.gettempdir()):
        return err
    return err + saved.read_text(encoding="utf-8", errors="replace")[-3000:]


def whole_or_absent(path: Path) -> None:
    """Nothing half-written beside an output: no temporary file of a writer that ended."""
    left = [item for item in path.parent.rglob("*") if item.name.endswith((".tmp", ".new"))]
    assert left == [], left


class Portion(NamedTuple):
    """Some of the cases of a kind, drawn from a seed of their own."""

    number: int
    examples: int


def portions(kind: str, default: int, size: int = 500) -> list[object]:
    """Parameters of a test: a few cases of a kind by default, and `CASES` of them in slow tests."""
    left, parts = CASES[kind], []
    while left > 0:
        parts.append(Portion(len(parts) + 1, min(size, left)))
        left -= size
    slow = [pytest.param(part, marks=pytest.mark.slow, id=f"part{part.number}") for part in parts]
    return [pytest.param(Portion(0, default), id="few"), *slow] if default else slow


def fuzz(portion: Portion, function: Callable[..., None], **parts: SearchStrategy[object]) -> None:
    """Call a function with the cases of a portion.

    The same seed draws the same cases, so that a test that passes goes on passing; `FUZZ_SEED` draws others.
    """
    called = 0

    def counted(**drawn: object) -> None:
        nonlocal called
        called += 1
        function(**drawn)

    how = settings(
        max_examples=portion.examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    seed(1000 * SEED + portion.number)(how(given(**parts)(counted)))()
    assert called >= portion.examples, f"{called} cases of {portion.examples} were drawn"
